// Reads the colour that the browser shows in the middle of each video of a list of URLs.
//
//   NODE_PATH=<folder with playwright-core> node colours.cjs '{"chromium": ..., "urls": [...]}'
//
// Prints a JSON list of [red, green, blue] as the last line.
const { chromium } = require('playwright-core');

const task = JSON.parse(process.argv[2]);

const middle = () => new Promise((resolve, reject) => {
  const video = document.querySelector('video');
  const read = () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const picture = canvas.getContext('2d');
    picture.drawImage(video, 0, 0);
    resolve([...picture.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data.slice(0, 3)]);
  };
  video.muted = true;
  video.addEventListener('error', () => reject(new Error(`the video cannot be played: ${video.error?.message}`)));
  video.addEventListener('seeked', read, { once: true });
  const seek = () => { video.currentTime = 0.3; };
  if (video.readyState >= 2) seek(); else video.addEventListener('loadeddata', seek, { once: true });
});

(async () => {
  const browser = await chromium.launch({
    executablePath: task.chromium,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage();
    const colours = [];
    for (const url of task.urls) {
      await page.goto(url);
      await page.waitForSelector('video', { timeout: 300000 });
      colours.push(await page.evaluate(middle));
    }
    console.log(JSON.stringify(colours));
  } finally {
    await browser.close();
  }
})().catch(error => { console.error(error); process.exit(1); });
