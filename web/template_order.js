// ComfyUI lists the templates of a pack in the order in which the disk has them; ours have names that sort.
import { api } from '/scripts/api.js';

const SOURCE = decodeURIComponent(new URL(import.meta.url).pathname.split('/')[2]); // /extensions/<folder>/...
const list = api.getWorkflowTemplates.bind(api);

api.getWorkflowTemplates = async () => {
  const templates = await list();
  templates[SOURCE]?.sort((a, b) => a.localeCompare(b, 'en'));
  return templates;
};
