// Puts the page of votes into ComfyUI's menu; the page itself is votes/index.html.
import { app } from '../../scripts/app.js';

const PAGE = new URL('./votes/index.html', import.meta.url);

app.registerExtension({
  name: 'Zoetrope.Votes',
  commands: [{
    id: 'Zoetrope.JudgeClips',
    label: 'Judge Clips in Pairs',
    icon: 'pi pi-video',
    function: () => {
      const locale = app.extensionManager?.setting?.get?.('Comfy.Locale') ?? '';
      window.open(`${PAGE}?locale=${encodeURIComponent(locale)}`, '_blank');
    },
  }],
  menuCommands: [{ path: ['Zoetrope'], commands: ['Zoetrope.JudgeClips'] }],
});
