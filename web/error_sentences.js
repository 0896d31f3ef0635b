// Puts what our nodes have to say into the message that ComfyUI shows when a run fails.
//
// That message names the node, "KSampler failed"; what went wrong and what to do stands two clicks away. Here
// an error that this pack raised, in a node of its own or inside another one such as a sampler, is shown with
// its sentence, and so is what our nodes find wrong before a run. Whatever else fails is left to ComfyUI.
import { app } from '../../scripts/app.js';
import { api } from '../../scripts/api.js';

const OUR_FOLDER = decodeURIComponent(new URL(import.meta.url).pathname.split('/').at(-2));
const OUR_NODES = 'Zoetrope';
const LONGEST = 800; // characters
// Controls, halves of characters, reversed text.
const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]/gu;
const PLACE = '[data-testid="error-overlay-messages"] p'; // the text of ComfyUI's message
const STYLE = '.zoetrope-sentence { -webkit-line-clamp: none; max-height: 40vh; overflow-y: auto; }';
const FRAMES = 60; // for how many frames of the screen that message is waited for
let remove = () => {}; // takes the sentence away that is shown
let latest = 0; // grows with every sentence, and when one is taken away

function printable(text) {
  const characters = [...String(text ?? '').trim().replace(UNPRINTABLE, '\uFFFD')];
  if (characters.length > LONGEST) characters.splice(LONGEST - 1, Infinity, '…');
  return characters.join('');
}

// The title that the node has on the canvas; "7:3" is node 3 in the subgraph of node 7. Another workflow may
// have been opened since the run began: what it has under this number counts only if it is of the same type.
function titleOf(id, type) {
  let graph = app.rootGraph ?? app.graph;
  let node;
  for (const part of String(id).split(':')) {
    node = graph?.getNodeById?.(part);
    graph = node?.subgraph;
  }
  const title = (node?.comfyClass ?? node?.type) === type ? node.title : null;
  return title || globalThis.LiteGraph?.registered_node_types?.[type]?.title || type;
}

// The message says which node failed, unless it only counts several errors.
function putIntoMessage(place, title, text) {
  const named = !title || place.parentElement?.parentElement?.textContent.includes(title);
  const before = place.textContent;
  const after = named ? text : `${title}: ${text}`;
  place.textContent = after;
  place.classList.add('zoetrope-sentence');
  // The front end writes there again only what is new to it, and its words are the same for every error.
  remove = () => {
    if (place.textContent === after) place.textContent = before;
    place.classList.remove('zoetrope-sentence');
  };
}

function addMessage(title, text) {
  const toast = app.extensionManager?.toast;
  const message = {
    id: `zoetrope-${latest}`,
    severity: 'error',
    summary: title || OUR_NODES,
    detail: text,
    contentStyleClass: 'whitespace-pre-wrap',
  };
  toast?.add?.(message);
  remove = () => toast?.remove?.(message);
}

// A front end without that message gets one of its own for the sentence. `title` is empty where the text
// names nodes.
function show(title, text) {
  hide();
  // Where the panel of errors is switched off, ComfyUI opens a window that has the sentence.
  if (app.extensionManager?.setting?.get?.('Comfy.RightSidePanel.ShowErrorsTab') === false) return;
  const number = latest;
  const look = left => {
    if (number !== latest) return; // a newer one came
    const place = document.querySelector(PLACE);
    if (place) putIntoMessage(place, printable(title), printable(text));
    else if (left) requestAnimationFrame(() => look(left - 1));
    else addMessage(printable(title), printable(text));
  };
  requestAnimationFrame(() => look(FRAMES));
}

function hide() {
  latest += 1;
  remove();
  remove = () => {};
}

// The last entry of a traceback is the place where the error was raised.
function raisedByUs({ node_type: type, traceback }) {
  const place = String(traceback?.at?.(-1) ?? '');
  return String(type).startsWith(OUR_NODES) || place.split(/[\\/]/).includes(OUR_FOLDER);
}

function onExecutionError({ detail }) {
  hide();
  if (detail && raisedByUs(detail)) show(titleOf(detail.node_id, detail.node_type), detail.exception_message);
}

// What our nodes found wrong before a run, each sentence once: what they say themselves, and of ComfyUI's own
// checks what its message leaves out, which tells of one error but of several gives the number alone.
function refusals(nodeErrors) {
  const several = Object.values(nodeErrors).flatMap(({ errors }) => errors).length > 1;
  const lines = new Set();
  for (const [id, { class_type: type, errors }] of Object.entries(nodeErrors)) {
    if (!String(type).startsWith(OUR_NODES)) continue;
    for (const { type: kind, message, details } of errors) {
      if (kind === 'custom_validation_failed') lines.add(`${titleOf(id, type)}: ${details}`);
      else if (several) lines.add(`${titleOf(id, type)}: ${message}: ${details}`);
    }
  }
  return [...lines];
}

function showRefusals(nodeErrors) {
  const lines = refusals(nodeErrors ?? {});
  if (lines.length) show('', lines.join('\n'));
}

// No event tells of a refused prompt, so its answer is read on the way to who asked.
function listenToRefusals() {
  const queuePrompt = api.queuePrompt;
  if (!queuePrompt) return;
  api.queuePrompt = async function (...request) {
    try {
      const answer = await queuePrompt.apply(this, request);
      showRefusals(answer?.node_errors);
      return answer;
    } catch (error) {
      showRefusals(error?.response?.node_errors);
      throw error;
    }
  };
}

app.registerExtension({
  name: 'Zoetrope.ErrorSentences',
  setup() {
    document.head.append(Object.assign(document.createElement('style'), { textContent: STYLE }));
    api.addEventListener('promptQueueing', hide);
    api.addEventListener('execution_error', onExecutionError);
    listenToRefusals();
  },
});
