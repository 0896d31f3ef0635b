// The page of votes: two clips side by side, a vote by key or click. The server (host/voting) keeps the votes and says which pair is
// next; nothing is lost when this page is closed. ComfyUI's editor loads every script of this folder: without the page's place in
// the document this one does nothing.
import { language, say } from './words.js';

const API = new URL('../../../api/', import.meta.url);
const KEYS = {
  ArrowLeft: 'left', ArrowRight: 'right', ArrowDown: 'tie', t: 'tie', s: 'skip', Backspace: 'back', ArrowUp: 'back', r: 'again',
};
const FEW = 30; // votes
const PICTURES = /\.(gif|webp)$/i;
const place = document.querySelector('#zoetrope-votes');
let actions = {}; // what the keys do now
let busy = false; // a vote is on its way

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** What the server answers; its sentence is thrown as an Error. */
async function ask(path, body) {
  const request = body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(new URL(`zoetrope/votes${path}`, API), { cache: 'no-store', ...request });
  } catch {
    throw new Error(say('unreached'));
  }
  const content = await answer.json().catch(() => ({ error: `${answer.status} ${answer.statusText}` }));
  if (!answer.ok) throw Object.assign(new Error(content.error), { status: answer.status });
  return content;
}

const pathOf = name => `/${encodeURIComponent(name)}`;

function show(...parts) {
  for (const video of place.querySelectorAll('video')) video.removeAttribute('src');
  actions = {};
  place.replaceChildren(make('h1', { textContent: say('title') }), ...parts);
}

const problem = (text = '') => make('p', { className: 'problem', role: 'alert', textContent: text });

function button(text, act, key, properties = {}) {
  const made = make('button', { type: 'button', onclick: act, ...properties }, text);
  if (key) made.append(make('kbd', { textContent: key }));
  return made;
}

async function showStart(text) {
  const { folders, names, error } = await ask('').catch(failed => ({ folders: [], names: [], error: failed.message }));
  const told = problem(error ?? text);
  const name = make('input', { id: 'name', required: true, value: '' });
  const seed = make('input', { id: 'seed', type: 'number', min: 0, step: 1, value: 0 });
  const boxes = folders.map(folder => make('input', { type: 'checkbox', value: folder }));
  const begin = async event => {
    event.preventDefault();
    const candidates = boxes.filter(box => box.checked).map(box => box.value);
    try {
      showState(await ask(`${pathOf(name.value.trim())}/begin`, { candidates, seed: seed.valueAsNumber }));
    } catch (error) {
      told.textContent = error.message;
    }
  };
  const parts = [make('p', { textContent: say('intro') }), told];
  if (names.length) {
    const list = make('select', { id: 'names' }, ...names.map(one => make('option', { textContent: one, value: one })));
    parts.push(make('h2', { textContent: say('goOn') }), list, ' ', button(say('open'), () => open(list.value)));
  }
  const field = (key, input) => make('label', { className: 'field' }, say(key), input);
  const choices = boxes.map(box => make('label', {}, box, ` ${box.value}`));
  parts.push(make('h2', { textContent: say('begin') }), folders.length ? make('form', { onsubmit: begin },
    field('name', name), field('seed', seed),
    make('fieldset', {}, make('legend', { textContent: say('folders') }), ...choices),
    make('button', { className: 'main', textContent: say('start') })) : make('p', { textContent: say('noFolders') }));
  history.replaceState(null, '', window.location.search || window.location.pathname);
  show(...parts);
}

async function open(name) {
  try {
    showState(await ask(pathOf(name)));
  } catch (error) {
    await showStart(error.message);
  }
}

function showState(state) {
  history.replaceState(null, '', `#${encodeURIComponent(state.name)}`);
  if (state.pair) showPair(state); else showEnd(state);
}

function head(state) {
  const parts = [
    make('progress', { max: state.total, value: state.done }),
    make('p', { id: 'progress', textContent: say('progress', state) }),
  ];
  for (const [key, count] of [['leftOut', state.left_out], ['damaged', state.damaged]]) {
    if (count) parts.push(make('p', { className: 'quiet', textContent: say(key, { count }) }));
  }
  return parts;
}

/** Sends a vote or takes one back, and shows what comes next; the pair stays where that fails. */
async function send(state, what, body, told) {
  if (busy) return;
  busy = true;
  try {
    showState(await ask(`${pathOf(state.name)}/${what}`, body));
  } catch (error) {
    told.textContent = error.message;
    if (error.status === 409) {
      await open(state.name);
      place.querySelector('.problem').textContent = error.message;
    }
  } finally {
    busy = false;
  }
}

/** One clip; `whenReady(true)` once its first frame is there, `whenReady(false)` where it cannot be played. */
function clip(address, whenReady) {
  const picture = PICTURES.test(address.filename);
  const frame = make('div', { className: 'clip' });
  const element = make(picture ? 'img' : 'video', { loop: true, muted: true, playsInline: true, preload: 'auto' });
  element.addEventListener(picture ? 'load' : 'loadeddata', () => whenReady(true), { once: true });
  element.addEventListener('error', () => {
    if (!element.isConnected) return;
    frame.replaceChildren(make('p', { textContent: say('broken') }));
    whenReady(false);
  });
  element.src = new URL(`view?${new URLSearchParams(address)}`, API);
  frame.append(element);
  return frame;
}

function playTogether() {
  for (const video of place.querySelectorAll('video')) {
    video.currentTime = 0;
    video.play().catch(() => {});
  }
}

function showPair(state) {
  const { pair } = state;
  const told = problem();
  const votes = [['left', '←'], ['tie', '↓'], ['right', '→']].map(([winner, key]) => (
    button(say(winner), () => cast(winner), key, { className: 'main', id: winner, disabled: true })));
  const cast = winner => send(state, 'vote', { file: pair.file, left: pair.left, right: pair.right, winner }, told);
  const back = () => state.votes && send(state, 'back', {}, told);
  let ready = 0;
  const clips = pair.clips.map(address => clip(address, fine => {
    ready += fine ? 1 : 0;
    if (ready < 2) return;
    playTogether();
    for (const one of votes) one.disabled = false;
    for (const winner of ['left', 'right', 'tie']) actions[winner] = () => cast(winner);
  }));
  show(...head(state),
    make('h2', { textContent: say('question') }), ...pair.text ? [make('p', { className: 'quiet', textContent: pair.text })] : [],
    make('div', { className: 'clips' }, ...clips), make('div', { className: 'row' }, ...votes), told,
    make('div', { className: 'row' },
      button(say('back'), back, '⌫', { id: 'back', disabled: !state.votes }),
      button(say('skip'), () => cast('skip'), 'S', { id: 'skip' }), button(say('again'), playTogether, 'R'), ...ratings(state)));
  Object.assign(actions, { skip: () => cast('skip'), back, again: playTogether });
}

function showEnd(state) {
  const told = problem();
  const back = () => send(state, 'back', {}, told);
  const [toggle, table] = ratings(state);
  show(...head(state), make('h2', { id: 'done', textContent: say('done') }), make('p', { textContent: say('next', state) }), told,
    make('div', { className: 'row' }, button(say('back'), back, '⌫', { id: 'back' }), button(say('list'), () => showStart()), toggle), table);
  actions = { back };
  toggle.click();
}

const points = ({ value, low, high }) => `${value.toFixed(0)} [${low.toFixed(0)}, ${high.toFixed(0)}]`;

/** A button that shows the ratings, and their place; they are hidden at first, because they would sway who judges. */
function ratings(state) {
  const table = make('div', { id: 'ratings' });
  const toggle = button(say('ratings'), async () => {
    const hidden = !table.childElementCount;
    toggle.textContent = say(hidden ? 'hide' : 'ratings');
    table.replaceChildren(...hidden ? await ratingRows(state) : []);
  });
  return [toggle, table];
}

async function ratingRows({ name, votes }) {
  let found;
  if (!votes) return [problem(say('noVote'))];
  try {
    found = await ask(`${pathOf(name)}/ratings`);
  } catch (error) {
    return [problem(error.message)];
  }
  const row = (tag, cells) => make('tr', {}, ...cells.map(cell => make(tag, { textContent: cell })));
  const sorted = found.ratings.sort((a, b) => (b.strength ?? b.elo).value - (a.strength ?? a.elo).value);
  return [
    make('table', {}, row('th', ['candidate', 'strength', 'elo', 'won'].map(key => say(key))), ...sorted.map(one => row('td', [
      one.candidate, one.strength ? points(one.strength) : '-', points(one.elo), `${one.won} / ${one.votes}`]))),
    make('p', { className: 'quiet', textContent: say('interval') }),
    ...notesOn(found).map(note => make('p', { className: 'quiet', textContent: note })),
  ];
}

function notesOn(found) {
  const notes = [];
  if (found.skipped) notes.push(say('skipped', found));
  if (found.damaged) notes.push(say('damaged', { count: found.damaged }));
  if (found.counted < FEW) notes.push(say('few', found));
  if (found.ratings.some(({ strength }) => !strength)) notes.push(say('noEnd'));
  return notes;
}

function onKey(event) {
  const action = actions[KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key]];
  const typing = ['INPUT', 'SELECT', 'TEXTAREA'].includes(event.target.tagName);
  if (!action || event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  event.preventDefault();
  action();
}

if (place) {
  document.documentElement.lang = language;
  document.title = `${say('title')} - Zoetrope`;
  document.addEventListener('keydown', onKey);
  const name = decodeURIComponent(window.location.hash.slice(1));
  (name ? open(name) : showStart()).catch(error => show(problem(error.message)));
}
