// A workflow made by hand names its model files and nothing else. Our loaders know where many of them are published
// (host/files/published_files.py), so that the editor can offer to download what is not there: as a workflow is opened, each loader
// gets the entries for the files that it names, as core's templates have them; saved workflows keep them.
import { app } from '/scripts/app.js';

const KEY = 'zoetrope_models';
const published = {}; // node type -> its entries {name, url, directory}

const baseName = path => path.split(/[/\\]/).at(-1);

/** Adds to a saved node's `properties.models` what is known about the files that its widgets name. */
function addLinks(node) {
  const entries = published[node?.type] ?? [];
  const values = Object.values(node?.widgets_values ?? {}).filter(value => typeof value === 'string');
  const known = node?.properties?.models ?? [];
  for (const value of values) {
    const entry = entries.find(({ name }) => name === baseName(value));
    if (entry && !known.some(({ name }) => name === value)) {
      node.properties = { ...node.properties, models: [...node.properties?.models ?? [], { ...entry, name: value }] };
    }
  }
}

app.registerExtension({
  name: 'Zoetrope.ModelLinks',
  beforeRegisterNodeDef(nodeType, nodeData) {
    const inputs = { ...nodeData.input?.required, ...nodeData.input?.optional };
    const entries = Object.values(inputs).flatMap(input => input[1]?.[KEY] ?? []);
    if (!entries.length) return;
    published[nodeData.name] = entries;
    const { onSerialize } = nodeType.prototype;
    nodeType.prototype.onSerialize = function (saved) {
      onSerialize?.call(this, saved);
      addLinks(saved);
    };
  },
  beforeConfigureGraph(workflow) {
    const subgraphs = workflow?.definitions?.subgraphs ?? [];
    for (const { nodes } of [workflow, ...subgraphs]) nodes?.forEach(addLinks);
  },
});
