/**
 * SVG as PNG, by resvg in WebAssembly, with the font that svgdom brings: the same pixels on every machine.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Resvg from '@resvg/resvg-wasm';
import { CODE_LOCATION } from '../core/location.js';

/** Pixels of the picture for each of the document: sharp in print, and on screens of twice the resolution. */
const ZOOM = 2;

let loading: Promise<{ readonly resvg: typeof Resvg; readonly font: Uint8Array }> | undefined;

/** The renderer and its font; WebAssembly is compiled once. */
function openResvg(): NonNullable<typeof loading> {
  loading ??= (async () => {
    const require = createRequire(CODE_LOCATION);
    const resvg = await import('@resvg/resvg-wasm');
    const [module, font] = await Promise.all([
      readFile(require.resolve('@resvg/resvg-wasm/index_bg.wasm')),
      readFile(join(dirname(require.resolve('svgdom')), 'fonts', 'OpenSans-Regular.ttf')),
    ]);
    await resvg.initWasm(module);
    return { resvg, font };
  })();
  return loading;
}

/** A document without style sheets as a PNG file's bytes. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  const { resvg, font } = await openResvg();
  const fonts = { fontBuffers: [font], defaultFontFamily: 'Open Sans', sansSerifFamily: 'Open Sans' };
  const rendered = new resvg.Resvg(svg, { font: fonts, fitTo: { mode: 'zoom', value: ZOOM } }).render();
  return rendered.asPng();
}
