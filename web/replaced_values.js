// Keeps the values of VideoHelperSuite's nodes when ComfyUI's "Replace" exchanges them for others.
//
// A workflow holds a node's values as a list, in the order of its widgets. VideoHelperSuite writes an object
// instead, {"multiply_by": 3, "videopreview": {...}}. "Replace" reads values by their number, so it would
// find none and leave the defaults of the new node, without a word. Here each value of such an object gets
// its number as a second name. These names are not enumerable: no copy and no saved file has them, and a
// workflow that is saved without "Replace" is the one that was opened.
import { app } from '../../scripts/app.js';
import { api } from '../../scripts/api.js';

const PLAIN = ['boolean', 'number', 'string'];
const widgetNames = {}; // old type -> names of its widgets in order

// ComfyUI's list of what it can replace, of every pack; a server without one has nothing to replace.
async function loadWidgetNames() {
  const answer = await api.fetchApi('/node_replacements');
  if (!answer.ok) return;
  const replacements = Object.entries(await answer.json());
  for (const [type, [first]] of replacements) widgetNames[type] = first?.old_widget_ids ?? [];
}

function numberValues(values, names) {
  names.forEach((name, number) => {
    if (!PLAIN.includes(typeof values[name]) || number in values) return;
    Object.defineProperty(values, number, { value: values[name], configurable: true });
  });
}

// Nodes of unknown types, in the graph and its subgraphs, hold what the file said of them in
// `last_serialization`.
function numberValuesOfMissingNodes() {
  const root = app.rootGraph ?? app.graph;
  for (const graph of [root, ...(root?.subgraphs?.values() ?? [])]) {
    for (const node of graph?.nodes ?? []) {
      const { type, widgets_values: values } = node.last_serialization ?? {};
      const named = values && typeof values === 'object' && !Array.isArray(values);
      if (named) numberValues(values, widgetNames[type] ?? []);
    }
  }
}

const loaded = loadWidgetNames().catch(error => console.warn('Zoetrope: no list of replacements', error));

app.registerExtension({
  name: 'Zoetrope.ReplacedValues',
  setup() {
    // Packing nodes into a subgraph, or unpacking them, copies them.
    api.addEventListener?.('graphChanged', numberValuesOfMissingNodes);
  },
  async afterConfigureGraph() {
    await loaded;
    numberValuesOfMissingNodes();
  },
});
