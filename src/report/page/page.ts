/**
 * A page of its own: figures with their numbers, the facts of each run, and the command that repeats it. Nothing is
 * loaded from elsewhere, which its security policy says too.
 */
import type { ChartTable } from '../charts/chart.js';
import type { Figure } from '../charts/draw.js';
import { escaped } from '../escape.js';
import type { Fact, View } from '../view.js';
import { PAGE_SCRIPT } from './script.js';
import { PAGE_STYLE } from './style.js';

/** A view whose charts are drawn. */
export interface DrawnView extends Omit<View, 'charts'> {
  readonly figures: readonly Figure[];
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

function tableHtml({ head, rows }: ChartTable, name: string): string {
  const row = (cells: readonly string[], tag: 'td' | 'th'): string => {
    const opening = tag === 'th' ? '<th scope="col">' : '<td>';
    return `<tr>${cells.map((cell) => `${opening}${escaped(cell)}</${tag}>`).join('')}</tr>`;
  };
  return (
    `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(name)}"><table class="numbers"><thead>` +
    `${row(head, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('\n')}</tbody></table></div>`
  );
}

function figureHtml({ title, alt, caption = '', table, width, height, body }: Figure, id: string): string {
  return [
    `<figure id="${id}"><h3>${escaped(title)}</h3>`,
    `<svg role="img" aria-label="${escaped(`${title}. ${alt}`)}" viewBox="0 0 ${width} ${height}">${body}</svg>`,
    `<figcaption>${escaped(caption === '' ? alt : caption)}</figcaption>`,
    `<details><summary>Numbers</summary>${tableHtml(table, `Numbers of: ${title}`)}</details></figure>`,
  ].join('\n');
}

const factsHtml = (facts: readonly Fact[], name: string): string =>
  `<details><summary>Options, seed and machine</summary><div class="scroll" tabindex="0" role="region" ` +
  `aria-label="${escaped(`Options, seed and machine of: ${name}`)}"><table><tbody>` +
  facts.map(([key, value]) => `<tr><th scope="row">${escaped(key)}</th><td>${escaped(value)}</td></tr>`).join('\n') +
  '</tbody></table></div></details>';

/** Two views may have figures of one name. */
const idOf = (view: number, figure: string): string => `run-${view + 1}-${figure.replace(/[^\w-]/g, '-')}`;

function viewHtml({ title, note, date, figures, facts, command }: DrawnView, k: number): string {
  const about = [
    ...(date === undefined ? [] : [`Ran on ${date.slice(0, 10)}.`]),
    ...(note === undefined ? [] : [note]),
  ];
  return [
    `<section aria-labelledby="run-${k + 1}"><h2 id="run-${k + 1}">${escaped(title)}</h2>`,
    ...(about.length === 0 ? [] : [`<p class="faint">${escaped(about.join(' '))}</p>`]),
    ...(command === undefined
      ? []
      : [`<p>The command that repeats it:</p><pre><code>${escaped(command)}</code></pre>`]),
    `<div class="figures">${figures.map((figure) => figureHtml(figure, idOf(k, figure.id))).join('\n')}</div>`,
    ...(facts.length === 0 ? [] : [factsHtml(facts, title)]),
    '</section>',
  ].join('\n');
}

/** The page, as HTML, by default called as its only view, or how many there are; the same views give the same text. */
export function pageOf(
  views: readonly DrawnView[],
  title: string = views.length === 1 ? views[0].title : `${views.length} runs of hmatrix`,
): string {
  const contents =
    views.length < 2
      ? ''
      : `<nav aria-label="Contents"><ol>${views
          .map((view, k) => `<li><a href="#run-${k + 1}">${escaped(view.title)}</a></li>`)
          .join('')}</ol></nav>`;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title>`,
    `<style>${PAGE_STYLE}</style></head>`,
    `<body><header><h1>${escaped(title)}</h1><div class="controls"></div></header>`,
    contents,
    `<main>${views.map(viewHtml).join('\n')}</main>`,
    `<script>${PAGE_SCRIPT}</script></body></html>`,
    '',
  ].join('\n');
}
