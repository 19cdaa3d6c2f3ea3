/**
 * How series are told apart: by colour, by mark and by dash, so that neither colours nor a printer's greys matter.
 * M. Okabe, K. Ito, *Color Universal Design*, 2008: eight colours that people with every kind of colour vision
 * tell apart. Those of enough contrast on white and on black come first.
 */

/** How a series is drawn. */
export interface Style {
  readonly colour: string;
  /** A mark of Observable Plot. */
  readonly symbol: string;
  /** As stroke-dasharray. */
  readonly dash: string;
}

const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'] as const;
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond2', 'star', 'wye', 'cross'] as const;
const DASHES = ['none', '6 3', '2 3', '8 3 2 3', '12 4', '4 2 1 2 1 2'] as const;

/** The style of the k-th series: colours return after six, and then with other marks and dashes. */
export const styleOf = (k: number): Style => ({
  colour: COLOURS[k % COLOURS.length],
  symbol: SYMBOLS[k % SYMBOLS.length],
  dash: DASHES[(k + Math.floor(k / COLOURS.length)) % DASHES.length],
});

/** Whether the k-th series has a colour that one before it has. */
export const isFaint = (k: number): boolean => k >= COLOURS.length;

/** Of what is stored densely. */
export const DENSE_COLOUR = '#D55E00';

/**
 * Steps from few to many, in order of lightness: viridis (S. van der Walt, N. Smith, 2015) without its darkest and its
 * lightest colours, which vanish on black and on white.
 */
const STEPS = ['#B5DE2B', '#4AC16D', '#1FA187', '#2C728E', '#443A83'] as const;

/** The k-th of `count` steps, the first one for the least. */
export function stepColour(k: number, count: number): string {
  const place = count <= 1 ? STEPS.length - 1 : Math.round((k * (STEPS.length - 1)) / (count - 1));
  return STEPS[Math.min(STEPS.length - 1, place)];
}
