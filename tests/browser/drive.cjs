// Opens a workflow in ComfyUI's real front end as a person would: drops the file on the canvas, presses Run, waits for the video.
//
//   NODE_PATH=<folder with playwright-core> node drive.cjs '{"url": ..., "chromium": ..., "workflow": ..., "out": ..., "seconds": 300}'
//
// Writes loaded.png, done.png and result.json to `out`; result.json is also the last line printed. The exit status is 0 when the
// browser could be driven to the end; what the page showed is for the caller to judge.
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');

const task = JSON.parse(process.argv[2]);
const FINISHED = ['execution_success', 'execution_error', 'execution_interrupted'];
// Settings belong to the server, not to the browser's profile. Without these a dialog covers the canvas or tabs of the last
// workflow come back; validation is off by default, and a test wants it.
const SETTINGS = {
  'Comfy.TutorialCompleted': true,
  'Comfy.Workflow.Persist': false,
  'Comfy.Validation.Workflows': true,
  'Comfy.VersionCompatibility.DisableWarnings': true,
  'Comfy.Notification.ShowVersionUpdates': false,
  'Comfy.Locale': 'en',
  'Comfy.Minimap.Visible': false,
  'LiteGraph.Canvas.MinFontSizeForLOD': 0,
  'Comfy.VueNodes.Enabled': Boolean(task.vueNodes),
};

async function changeSettings() {
  const answer = await fetch(`${task.url}/settings`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(SETTINGS),
  });
  if (!answer.ok) throw new Error(`the server refused the settings: ${answer.status}`);
}

function watch(page, seen) {
  page.on('console', message => { if (message.type() === 'error') seen.console.push(message.text().slice(0, 400)); });
  page.on('pageerror', error => seen.pageErrors.push(error.message.slice(0, 400)));
  page.on('response', response => {
    if (response.status() >= 400 && response.url().includes('/extensions/')) seen.missingFiles.push(response.url());
  });
}

async function drop(page, file) {
  const content = fs.readFileSync(file).toString('base64');
  const type = { '.json': 'application/json', '.png': 'image/png', '.webp': 'image/webp', '.mp4': 'video/mp4' }[path.extname(file)];
  await page.evaluate(({ content, name, type }) => {
    const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const canvas = document.querySelector('#graph-canvas');
    for (const kind of ['dragenter', 'dragover', 'drop']) {
      canvas.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true, clientX: 700, clientY: 450 }));
    }
  }, { content, name: path.basename(file), type });
}

async function loadWorkflow(page) {
  const wanted = path.basename(task.workflow).endsWith('.json') ? JSON.parse(fs.readFileSync(task.workflow, 'utf8')).nodes.length : 1;
  await page.evaluate(() => window.app.graph.clear());
  await drop(page, task.workflow);
  await page.waitForFunction(n => window.app.graph.nodes.length >= n, wanted, { timeout: 30000 });
  await page.evaluate(() => window.app.canvas.fitViewToSelectionAnimated?.());
  await page.waitForTimeout(1500);
  return page.evaluate(() => ({
    nodes: window.app.graph.nodes.map(node => node.type),
    missing: window.app.graph.nodes.map(node => node.type).filter(type => !(type in window.LiteGraph.registered_node_types)),
    dialog: document.querySelector('[role="dialog"]')?.innerText?.slice(0, 400) ?? '',
  }));
}

async function run(page) {
  await page.evaluate(kinds => {
    window.zoetropeEvents = [];
    for (const kind of kinds) {
      window.app.api.addEventListener(kind, event => window.zoetropeEvents.push([kind, event.detail]));
    }
  }, [...FINISHED, 'executed']);
  await page.locator('[data-testid="queue-button"], button:has-text("Run")').first().click();
  // A refused prompt raises no event: the front end opens its error panel instead.
  await page.waitForFunction(kinds => window.zoetropeEvents.some(event => kinds.includes(event[0]))
    || window.app.lastNodeErrors && Object.keys(window.app.lastNodeErrors).length, FINISHED, { timeout: task.seconds * 1000 });
  return page.evaluate(kinds => {
    const end = window.zoetropeEvents.find(event => kinds.includes(event[0]));
    return { end: end ? end[0] : 'refused', message: end?.[1]?.exception_message ?? '', refusals: window.app.lastNodeErrors ?? null };
  }, FINISHED);
}

async function videos(page) {
  const ready = () => [...document.querySelectorAll('video')].some(v => v.duration > 0 && v.videoWidth > 0);
  await page.waitForFunction(ready, null, { timeout: 20000 }).catch(() => null);
  return page.evaluate(() => [...document.querySelectorAll('video')].map(v => {
    const box = v.getBoundingClientRect();
    return { width: v.videoWidth, height: v.videoHeight, duration: v.duration, shown: box.width > 0 && box.height > 0 };
  }));
}

(async () => {
  fs.mkdirSync(task.out, { recursive: true });
  await changeSettings();
  const browser = await chromium.launch({
    executablePath: task.chromium,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 }, locale: 'en-US' });
    const seen = { console: [], pageErrors: [], missingFiles: [] };
    watch(page, seen);
    await page.goto(task.url, { waitUntil: 'domcontentloaded' });
    await page.waitForFunction(() => window.app?.graph && window.app.extensionManager
      && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100, null, { timeout: 120000 });
    await page.waitForTimeout(1500);
    const loaded = await loadWorkflow(page);
    await page.screenshot({ path: path.join(task.out, 'loaded.png') });
    const ended = await run(page);
    const result = { loaded, ended, videos: await videos(page), ...seen };
    await page.waitForTimeout(1000);
    await page.screenshot({ path: path.join(task.out, 'done.png') });
    fs.writeFileSync(path.join(task.out, 'result.json'), JSON.stringify(result, null, 1));
    console.log(JSON.stringify(result));
  } finally {
    await browser.close();
  }
})().catch(error => { console.error(error); process.exit(1); });
