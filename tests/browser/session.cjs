// One headless Chromium with ComfyUI's front end, driven by lines of JSON: reads {"do": ..., ...} and answers each with one line,
// {"result": ...} or {"error": ...}. Ends with the end of its input.
//
//   NODE_PATH=<folder with playwright-core> node session.cjs '{"url": ..., "chromium": ...}'
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { chromium } = require('playwright-core');

const task = JSON.parse(process.argv[2]);
const FINISHED = ['execution_success', 'execution_error', 'execution_interrupted'];
const TYPES = {
  '.json': 'application/json', '.png': 'image/png', '.webp': 'image/webp', '.gif': 'image/gif', '.mp4': 'video/mp4',
  '.webm': 'video/webm', '.mov': 'video/quicktime', '.mkv': 'video/x-matroska',
};
// Settings belong to the server, not to the browser's profile. Without these a dialog covers the canvas or tabs of the last
// workflow come back; validation is off by default, and a test wants it.
const SETTINGS = {
  'Comfy.TutorialCompleted': true,
  'Comfy.Workflow.Persist': false,
  'Comfy.Validation.Workflows': true,
  'Comfy.VersionCompatibility.DisableWarnings': true,
  'Comfy.Notification.ShowVersionUpdates': false,
  'Comfy.Minimap.Visible': false,
  'LiteGraph.Canvas.MinFontSizeForLOD': 0,
  'LiteGraph.Canvas.MaximumFps': 15,
};
const PATIENCE = 300; // seconds for what comes at once on an idle machine
let context;
let page;
const seen = { pageErrors: [], missingFiles: [] };

async function newPage() {
  await page?.close();
  page = await context.newPage();
  page.on('pageerror', error => seen.pageErrors.push(error.message.slice(0, 400)));
  page.on('response', response => {
    if (response.status() >= 400 && response.url().includes('/extensions/')) seen.missingFiles.push(response.url());
  });
}

// Waits until the view has stood still for a few drawn pictures: what comes next finds things where they are.
async function still() {
  await page.evaluate(() => new Promise(done => {
    let before = '';
    let same = 0;
    const look = () => {
      const { scale, offset } = window.app.canvas.ds;
      const now = JSON.stringify([scale, ...offset, window.app.graph.nodes.length]);
      same = now === before ? same + 1 : 0;
      before = now;
      if (same < 10) requestAnimationFrame(look); else done();
    };
    look();
  }));
}

const COMMANDS = {
  // Stores settings and opens a new page, so that nothing of the last one goes on; `query` follows the address, say ?template=...
  async open({ settings = {}, query = '' }) {
    const values = { ...SETTINGS, 'Comfy.Locale': 'en', 'Comfy.VueNodes.Enabled': false, ...settings };
    const answer = await fetch(`${task.url}/settings`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(values),
    });
    if (!answer.ok) throw new Error(`the server refused the settings: ${answer.status}`);
    await newPage();
    await page.goto(`${task.url}/${query}`, { waitUntil: 'domcontentloaded' });
    await page.waitForFunction(() => window.app?.graph && window.app.extensionManager
      && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100
      && window.app.extensionManager.workflow?.activeWorkflow && !window.app.extensionManager.spinner, null, { timeout: PATIENCE * 1000 });
    await still();
  },

  // Opens another page of the server, without the editor.
  async visit({ path }) {
    await newPage();
    await page.goto(`${task.url}${path}`);
  },

  // Drops a file on the empty canvas as a person would and says which nodes came; waits for as many as are expected.
  async drop({ file, nodes = 1 }) {
    const content = fs.readFileSync(file).toString('base64');
    await page.evaluate(() => window.app.graph.clear());
    await page.evaluate(({ content, name, type }) => {
      const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], name, { type }));
      const canvas = document.querySelector('#graph-canvas');
      for (const kind of ['dragenter', 'dragover', 'drop']) {
        canvas.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true, clientX: 700, clientY: 450 }));
      }
    }, { content, name: path.basename(file), type: TYPES[path.extname(file)] ?? '' });
    await page.waitForFunction(n => window.app.graph.nodes.length >= n, nodes, { timeout: PATIENCE * 1000 }).catch(() => null);
    await page.evaluate(() => window.app.canvas.fitViewToSelectionAnimated?.());
    await still();
    return COMMANDS.nodes();
  },

  async nodes() {
    return page.evaluate(() => ({
      types: window.app.graph.nodes.map(node => node.type),
      titles: window.app.graph.nodes.map(node => node.title),
      missing: window.app.graph.nodes.map(node => node.type).filter(type => !(type in window.LiteGraph.registered_node_types)),
    }));
  },

  // What the front end would send to /prompt.
  async prompt() {
    return page.evaluate(async () => (await window.app.graphToPrompt()).output);
  },

  // Presses Run and waits for the end; a refused prompt raises no event, the front end opens its error panel instead.
  async run({ seconds = 300 }) {
    await page.evaluate(kinds => {
      window.app.lastNodeErrors = null;
      window.zoetropeEvents = [];
      window.zoetropeListening ??= kinds.map(kind => window.app.api.addEventListener(kind, event => {
        window.zoetropeEvents.push([kind, event.detail]);
      }));
    }, FINISHED);
    await page.locator('[data-testid="queue-button"], button:has-text("Run"), button:has-text("运行")').first().click();
    await page.waitForFunction(() => window.zoetropeEvents.length
      || window.app.lastNodeErrors && Object.keys(window.app.lastNodeErrors).length, null, { timeout: seconds * 1000 });
    return page.evaluate(() => ({
      end: window.zoetropeEvents[0]?.[0] ?? 'refused',
      message: window.zoetropeEvents[0]?.[1]?.exception_message ?? '',
      refusals: window.app.lastNodeErrors ?? null,
    }));
  },

  // The page's videos, once one of them is read and has its place on the page: the end of a run comes before both.
  async videos() {
    const ready = () => [...document.querySelectorAll('video')].some(v => {
      const box = v.getBoundingClientRect();
      return v.duration > 0 && v.videoWidth > 0 && box.width > 0 && box.height > 0;
    });
    await page.waitForFunction(ready, null, { timeout: PATIENCE * 1000 }).catch(() => null);
    return page.evaluate(() => [...document.querySelectorAll('video')].map(v => {
      const box = v.getBoundingClientRect();
      return { width: v.videoWidth, height: v.videoHeight, duration: v.duration, shown: box.width > 0 && box.height > 0 };
    }));
  },

  // Evaluates an expression in the page; a promise is awaited.
  async evaluate({ code }) {
    return page.evaluate(code);
  },

  async click({ selector, seconds = PATIENCE }) {
    await page.locator(selector).first().click({ timeout: seconds * 1000 });
  },

  async press({ key }) {
    await page.keyboard.press(key);
  },

  async hover({ x, y }) {
    await page.mouse.move(x - 3, y - 3);
    await page.mouse.move(x, y);
  },

  // Double-clicks until a field has the focus, and types into it then: letters that come too early are shortcuts. The clicks do not
  // wait for the page, because one that is slow to answer takes those that do for two single clicks.
  async doubleClickAndType({ x, y, text, tries = 5, seconds = 20 }) {
    const focused = () => ['INPUT', 'TEXTAREA'].includes(document.activeElement?.tagName);
    const { mouse } = page;
    await mouse.move(x, y);
    let found = false;
    for (let left = tries; left > 0 && !found; left -= 1) {
      const first = { clickCount: 1 }, second = { clickCount: 2 };
      await Promise.all([mouse.down(first), mouse.up(first), mouse.down(second), mouse.up(second)]);
      found = await page.waitForFunction(focused, null, { timeout: seconds * 1000 }).then(() => true, () => false);
    }
    if (!found) throw new Error(`no field has the focus after ${tries} double clicks at ${x}, ${y}`);
    await page.keyboard.type(text);
  },

  // Waits until the page shows a text and says whether it came.
  async sees({ text, seconds = PATIENCE }) {
    return page.waitForFunction(t => document.body.innerText.includes(t), text, { timeout: seconds * 1000 }).then(() => true, () => false);
  },

  // Waits until an expression is true in the page and says whether it came to that.
  async becomes({ code, seconds = PATIENCE }) {
    return page.waitForFunction(code, null, { timeout: seconds * 1000 }).then(() => true, () => false);
  },

  async screenshot({ file }) {
    await page.evaluate(() => document.fonts.ready.then(() => {}));
    if (await page.evaluate(() => Boolean(window.app?.canvas))) await still();
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await page.screenshot({ path: file });
  },

  // Errors of the page and missing files of extensions since the last time.
  async troubles() {
    const found = { pageErrors: seen.pageErrors.splice(0), missingFiles: seen.missingFiles.splice(0) };
    return [...found.pageErrors, ...found.missingFiles];
  },
};

(async () => {
  const browser = await chromium.launch({
    executablePath: task.chromium,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    context = await browser.newContext({ viewport: { width: 1600, height: 1000 }, locale: 'en-US', reducedMotion: 'reduce' });
    for await (const line of readline.createInterface({ input: process.stdin })) {
      const request = JSON.parse(line);
      let answer;
      try {
        answer = { result: await COMMANDS[request.do](request) ?? null };
      } catch (error) {
        answer = { error: String(error.stack ?? error) };
      }
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
  } finally {
    await browser.close();
  }
})().catch(error => { console.error(error); process.exit(1); });
