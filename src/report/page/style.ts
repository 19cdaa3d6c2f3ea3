/**
 * The style sheet of a page: by day, by night, in print, on telephones.
 */
import { COLOURS } from '../svg.js';

const theme = ([ink, paper]: readonly [string, string], more: string): string =>
  `--ink:${ink};--paper:${paper};${more}`;
const LIGHT = theme(COLOURS.light, '--faint:#5a6069;--line:#d5d8dc;--panel:#f6f7f8;--link:#0b5cad;color-scheme:light');
const DARK = theme(COLOURS.dark, '--faint:#a9b0b8;--line:#3a3f46;--panel:#1e2126;--link:#7cb8f2;color-scheme:dark');

/** Columns of figures that are at least as wide as a telephone leaves room for. */
export const PAGE_STYLE = `
:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
:root[data-theme=light]{${LIGHT}}
:root[data-theme=dark]{${DARK}}
@media print{:root,:root[data-theme=dark]{${LIGHT}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px;max-width:1400px;background:var(--paper);color:var(--ink);
font:16px/1.45 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.2;margin:.2em 0}
h2{font-size:1.25rem;line-height:1.25;margin:2em 0 .2em;padding-top:.6em;border-top:1px solid var(--line)}
h3{font-size:1rem;line-height:1.3;margin:0 0 .4em}
p{margin:.3em 0}
a{color:var(--link)}
.faint,figcaption{color:var(--faint);font-size:.875rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,390px),1fr));align-items:start;
gap:24px;margin:16px 0}
figure{margin:0;padding:12px;border:1px solid var(--line);border-radius:8px;background:var(--paper);min-width:0}
figure svg{display:block;width:100%;max-width:480px;height:auto;color:var(--ink);fill:var(--ink);overflow:visible}
figure svg svg{max-width:none}
figure .chosen{stroke:var(--ink);stroke-opacity:1;stroke-width:2.5}
details{margin:.5em 0}
summary{cursor:pointer;color:var(--link)}
.scroll{overflow-x:auto;max-height:24rem;overflow-y:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:.2em .7em .2em 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:anywhere}
th{font-weight:600}
.numbers td,.numbers th{white-space:nowrap}
.numbers td+td,.numbers th+th{text-align:right}
pre{background:var(--panel);padding:.8em;border-radius:6px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.controls{display:flex;flex-wrap:wrap;gap:12px 20px;align-items:center;margin:.8em 0;font-size:.9375rem}
button,select{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--faint);border-radius:6px;
padding:.25em .7em;min-height:2.2em}
input[type=range]{width:100%;accent-color:var(--link)}
output{display:block;min-height:1.5em;font-size:.875rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media (max-width:480px){body{padding:12px}figure{padding:8px}.figures{gap:16px}}
@media print{.controls,.explore{display:none}body{max-width:none;font-size:11pt}
figure,table{break-inside:avoid}h2,h3{break-after:avoid}.scroll{max-height:none;overflow:visible}}
`.trim();
