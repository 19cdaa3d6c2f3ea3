import * as h from '/tmp/w2/play/dist/src/index.js';
const w = new Worker(new URL('./host.js', import.meta.url), {type:'module'});
w.onmessage = (e) => { document.body.textContent = JSON.stringify(e.data); window.done = e.data; };
w.onerror = (e) => { window.done = {error: e.message}; };
window.h = Object.keys(h).length;
