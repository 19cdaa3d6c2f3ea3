/**
 * Figures of the library's report on the page: each in its place, which keeps its size whatever comes.
 */
import { drawCharts } from '#hmatrix/report/charts/draw.js';
import type { Chart } from '#hmatrix/report/charts/chart.js';

/** A figure's picture becomes that of a chart. */
export async function show(id: string, chart: Chart): Promise<void> {
  const [figure] = await drawCharts([chart]);
  const place = document.querySelector<HTMLElement>(`#${id} .picture`)!;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const [width, height] = place.style.aspectRatio.split('/').map(Number);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('preserveAspectRatio', 'xMidYMin');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${figure.title}. ${figure.alt}`);
  svg.innerHTML = figure.body;
  place.replaceChildren(svg);
}

/** A table's cells: the first row names the columns. */
export function fillTable(id: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = document.getElementById(id) as HTMLTableElement;
  const row = (cells: readonly string[], tag: 'th' | 'td'): HTMLTableRowElement => {
    const made = document.createElement('tr');
    for (const text of cells) {
      const cell = document.createElement(tag);
      cell.textContent = text;
      if (tag === 'th') (cell as HTMLTableCellElement).scope = 'col';
      made.append(cell);
    }
    return made;
  };
  const body = document.createElement('tbody');
  body.append(...rows.map((cells) => row(cells, 'td')));
  const top = document.createElement('thead');
  top.append(row(head, 'th'));
  table.replaceChildren(top, body);
}

/** Writes a text into the element of that id. */
export function say(id: string, text: string): void {
  document.getElementById(id)!.textContent = text;
}
