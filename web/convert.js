// The command "Convert to Zoetrope": the open workflow with nodes of AnimateDiff-Evolved, VideoHelperSuite and others becomes one of
// ComfyUI's nodes and ours (workflow_conversion/), in a tab of its own. The open one stays as it is. What was done is shown beside the graph;
// a click on a line goes to its node. A workflow that is opened while such nodes are missing gets the offer.
import { app } from '/scripts/app.js';
import { api } from '/scripts/api.js';

const TEXTS = {
  en: { label: 'Convert to Zoetrope', close: 'Close', failed: 'The workflow was not converted.', suffix: 'Zoetrope',
    offer: 'Nodes of this workflow are missing that ComfyUI\'s own and Zoetrope\'s can take the place of.' },
  zh: { label: '转换为 Zoetrope', close: '关闭', failed: '工作流没有转换。', suffix: 'Zoetrope',
    offer: '此工作流缺少一些节点，可以用 ComfyUI 和 Zoetrope 的节点代替。' },
};
const STYLE = `
  .zoetrope-report { position: fixed; inset: auto 1rem 1rem auto; z-index: 1100; width: min(34rem, 90vw); max-height: 60vh; margin: 0;
    overflow: auto; padding: 1rem; border: 1px solid var(--border-color, #666); border-radius: 8px; background: var(--comfy-menu-bg, #222);
    color: var(--fg-color, #eee); font: 13px/1.45 sans-serif; }
  .zoetrope-report h2 { margin: 0 0 0.5rem; font-size: 14px; }
  .zoetrope-report ul { margin: 0 0 0.75rem; padding: 0; list-style: none; }
  .zoetrope-report li button { width: 100%; padding: 0.2rem 0.4rem; border: 0; border-left: 3px solid var(--grade); background: none;
    color: inherit; font: inherit; text-align: left; cursor: pointer; }
  .zoetrope-report li button:hover { background: var(--comfy-input-bg, #333); }
`;
const OTHERS = [
  'CheckpointLoaderSimpleWithNoiseSelect', 'BatchPromptSchedule', 'BatchPromptScheduleLatentInput', 'BatchValueSchedule', 'ControlNetLoaderAdvanced',
  'AnimateDiffLoaderV1', 'AnimateDiffSampler',
];
const COLOURS = { equal: '#3a3', differs: '#c90', left: '#c33' };

const language = () => (app.extensionManager?.setting?.get?.('Comfy.Locale')?.startsWith('zh') ? 'zh' : 'en');
const texts = () => TEXTS[language()];
const make = (tag, props = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
};

function goTo({ node: id, scope }) {
  const node = scope ? null : (app.rootGraph ?? app.graph)?.getNodeById?.(id);
  if (!node || !app.canvas) return;
  app.canvas.selectNode?.(node);
  app.canvas.centerOnNode?.(node);
}

function line(remark) {
  const button = make('button', { type: 'button', textContent: remark.sentence, onclick: () => goTo(remark) });
  button.style.setProperty('--grade', COLOURS[remark.grade]);
  return make('li', {}, button);
}

function hide() {
  document.querySelector('.zoetrope-report')?.remove();
}

function showBeside(text, ...more) {
  hide();
  const heading = make('h2', { textContent: texts().label });
  const close = make('button', { type: 'button', textContent: texts().close, onclick: hide });
  const dialog = make('dialog', { className: 'zoetrope-report' }, heading, make('p', { textContent: text }), ...more, close);
  document.body.append(dialog);
  dialog.show();
  document.activeElement?.blur?.(); // keys go to the graph
}

function show(report) {
  showBeside(report.summary, make('ul', {}, ...(report.remarks ?? []).map(line)));
}

/** Whether a node of a pack that is converted, and that is not installed, is in the open workflow. */
function somethingIsMissing() {
  const known = LiteGraph.registered_node_types;
  return (app.rootGraph ?? app.graph)?.nodes?.some(({ type }) =>
    !(type in known) && (/^(ADE|VHS|ACN)_/.test(type) || OTHERS.includes(type)));
}

function nameOfTab() {
  const open = app.extensionManager?.workflow?.activeWorkflow?.filename ?? 'workflow';
  return `${String(open).replace(/\.json$/i, '')} (${texts().suffix})`;
}

let isConverted = false; // while the result of a conversion is opened, which is not offered to convert once more

async function ask(workflow) {
  const answer = await api.fetchApi('/zoetrope/convert', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ workflow, language: language() }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

async function convert() {
  try {
    const { workflow, report } = await ask((app.rootGraph ?? app.graph).serialize());
    isConverted = true;
    if (report.changed) await app.loadGraphData(workflow, true, true, nameOfTab());
    show(report);
  } catch (error) {
    console.error('Zoetrope: the workflow was not converted', error);
    show({ summary: `${texts().failed} ${error.message}` });
  } finally {
    isConverted = false;
  }
}

app.registerExtension({
  name: 'Zoetrope.Convert',
  commands: [{ id: 'Zoetrope.Convert', label: () => texts().label, icon: 'pi pi-sync', function: convert }],
  menuCommands: [{ path: ['File'], commands: ['Zoetrope.Convert'] }],
  setup() {
    document.head.append(make('style', { textContent: STYLE }));
  },
  afterConfigureGraph() {
    if (isConverted) return;
    hide();
    const go = make('button', { type: 'button', textContent: texts().label, onclick: convert });
    if (somethingIsMissing()) showBeside(texts().offer, go, ' ');
  },
});
