// The classic canvas draws the first frame of an animated preview only. The editor has a widget for animated pictures, which it uses for
// saved ones; while one of Preview Whole Clip arrives, its node says that it has such a picture. Nodes 2.0 needs none of this.
import { app } from '/scripts/app.js';
import { api } from '/scripts/api.js';

const WIDGET = '$$comfy_animation_preview'; // the editor's own name of it
const ENDS = ['execution_success', 'execution_error', 'execution_interrupted'];
const moving = new Set();
let runsEnded = 0;

/** The node with this id while it runs, as in "5:12", and the nodes of the subgraphs around it, which show the same preview. */
function nodesAt(executionId) {
  const nodes = [];
  let graph = app.rootGraph;
  for (const id of String(executionId).split(':')) {
    const node = graph?.getNodeById(id);
    if (!node) break;
    nodes.push(node);
    graph = node.subgraph;
  }
  return nodes;
}

function startMoving(node) {
  if (moving.has(node)) return;
  moving.add(node);
  // The editor sets it with every preview, from outputs alone.
  Object.defineProperty(node, 'animatedImages', { get: () => true, set() {}, configurable: true });
}

function stopMoving() {
  runsEnded += 1;
  for (const node of moving) {
    delete node.animatedImages;
    const place = node.widgets?.findIndex(({ name }) => name === WIDGET) ?? -1;
    if (place >= 0) {
      node.widgets[place].onRemove?.();
      node.widgets.splice(place, 1);
    }
  }
  moving.clear();
  app.canvas?.setDirty(true, true);
}

app.registerExtension({
  name: 'Zoetrope.MovingPreviews',
  setup() {
    api.addEventListener('b_preview_with_metadata', async ({ detail }) => {
      if (LiteGraph.vueNodesMode) return;
      const run = runsEnded;
      const head = await detail.blob.slice(0, 64).text();
      const isClip = head.includes('WEBP') && head.includes('ANIM');
      if (isClip && run === runsEnded) nodesAt(detail.displayNodeId).forEach(startMoving);
    });
    for (const end of ENDS) api.addEventListener(end, stopMoving);
  },
});
