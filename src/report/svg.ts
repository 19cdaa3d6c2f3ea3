/**
 * Figures as one SVG document, side by side beneath their titles.
 */
import type { Figure } from './charts/draw.js';
import { FIGURE_WIDTH, linesOf } from './charts/legend.js';
import { escaped } from './escape.js';

/** Colours of text and paper: of daylight, of the dark, or what the viewer prefers. */
export type Theme = 'auto' | 'light' | 'dark';
/** All values of {@link Theme}. */
export const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

/** Ink and paper of each theme. */
export const COLOURS = { light: ['#1c1e21', '#ffffff'], dark: ['#e6e6e6', '#15171b'] } as const;

const TITLE_SIZE = 14;
const TITLE_LINE = 19;
const EDGE = 12;
const GAP = 24;
/** Font families: the first is that of PNG pictures. */
export const FONTS = "'Open Sans', system-ui, sans-serif";

interface Placed {
  readonly figure: Figure;
  readonly x: number;
  readonly y: number;
  readonly lines: readonly string[];
}

/** Rows of at most two figures, each as high as the higher one. */
function placeAll(figures: readonly Figure[]): { placed: Placed[]; width: number; height: number } {
  const columns = Math.min(2, figures.length);
  const placed: Placed[] = [];
  let y = EDGE;
  for (let first = 0; first < figures.length; first += columns) {
    const row = figures.slice(first, first + columns).map((figure, k) => ({
      figure,
      x: EDGE + k * (FIGURE_WIDTH + GAP),
      y,
      lines: linesOf(figure.title, FIGURE_WIDTH, TITLE_SIZE),
    }));
    placed.push(...row);
    y += Math.max(...row.map(({ figure, lines }) => figure.height + TITLE_LINE * lines.length)) + GAP;
  }
  return { placed, width: 2 * EDGE + columns * (FIGURE_WIDTH + GAP) - GAP, height: y - GAP + EDGE };
}

const titled = ({ figure, x, y, lines }: Placed): string =>
  `<g role="img" aria-label="${escaped(`${figure.title}. ${figure.alt}`)}" transform="translate(${x},${y})">` +
  lines
    .map(
      (line, k) =>
        `<text y="${TITLE_LINE * k + TITLE_SIZE}" font-size="${TITLE_SIZE}" font-weight="600">${escaped(line)}</text>`,
    )
    .join('') +
  `<g transform="translate(0,${TITLE_LINE * lines.length + 4})" font-size="11">${figure.body}</g></g>`;

function styleOf(theme: Theme): string {
  const rules = (name: 'light' | 'dark'): string => {
    const [ink, paper] = COLOURS[name];
    return `.ink{color:${ink};fill:${ink}}.paper{fill:${paper}}`;
  };
  if (theme !== 'auto') return rules(theme);
  return `${rules('light')}@media (prefers-color-scheme:dark){${rules('dark')}}@media print{${rules('light')}}`;
}

/**
 * The document: well-formed XML of its own, with a title and a description; the same figures give the same text.
 * `styled` false: colours as attributes, for readers without style sheets.
 */
export function svgDocument(figures: readonly Figure[], theme: Theme, styled = true): string {
  const { placed, width, height } = placeAll(figures);
  const [ink, paper] = COLOURS[theme === 'dark' ? 'dark' : 'light'];
  const look = styled ? ['class="ink"', 'class="paper"'] : [`color="${ink}" fill="${ink}"`, `fill="${paper}"`];
  const title = figures.map((figure) => figure.title).join('; ');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="${FONTS}" ${look[0]}>` +
    `<title>${escaped(title)}</title><desc>${escaped(figures.map(({ alt }) => alt).join(' '))}</desc>` +
    (styled ? `<style>${styleOf(theme)}</style>` : '') +
    `<rect width="100%" height="100%" ${look[1]}/>${placed.map(titled).join('')}</svg>\n`
  );
}
