/**
 * Observable Plot and a document without a browser, loaded when something is drawn: the start of the command does not
 * wait for them.
 */
import type * as ObservablePlot from '@observablehq/plot';

/** Observable Plot. */
export type Plot = typeof ObservablePlot;
/** What Plot draws. */
export type Drawing = ObservablePlot.PlotOptions;
/** One layer of a drawing. */
export type Mark = ObservablePlot.Markish;

/** Draws; gives the SVG element as text. */
export interface Drawer {
  readonly plot: Plot;
  readonly draw: (drawing: Drawing) => string;
}

/** Coordinates to a hundredth of a pixel: what is beyond is rounding, and differs between processors. */
const inHundredths = (tag: string): string =>
  tag.replace(/-?\d+\.\d{3,}(?:e[+-]?\d+)?/g, (digits) => String(Number(Number(digits).toFixed(2))));

/** Loads the libraries; the second time nothing is loaded. */
export async function openDrawer(): Promise<Drawer> {
  const [plot, { createSVGWindow }] = await Promise.all([import('@observablehq/plot'), import('svgdom')]);
  return {
    plot,
    draw: (drawing) => {
      const document = createSVGWindow().document as NonNullable<Drawing['document']>;
      const { outerHTML } = plot.plot({ ...drawing, document }) as unknown as { readonly outerHTML: string };
      // Plot's own style sheet is for pages of its own.
      return (
        outerHTML
          .replace(/<style>[^<]*<\/style>/, '')
          .replace(/<[^>]+>/g, inHundredths)
          // Its names of groups are no names for a reader: the figure as a whole has one.
          .replace(/ aria-label="([^"]*)"/g, (_, name: string) => ` class="${name.replaceAll(' ', '-')}"`)
          .replace(/<(rect|path|line|circle)([^>]*)><\/\1>/g, '<$1$2/>')
      );
    },
  };
}
