/**
 * Block rows for tests: of random shapes, and what they are by plain sums.
 */
import { ROUNDOFF, type Precision, type FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { BlockRowsBuilder, type BlockRows } from '#hmatrix/device/block-rows.js';

export const numbersOf = (length: number, precision: Precision, seed: number): FloatArray => {
  const numbers = new Float64Array(length);
  new RandomStream(seed).fillNormal(numbers);
  return precision === 'f64' ? numbers : Float32Array.from(numbers);
};

/** A target: rows, whether it starts from others, and its terms as [rows of the vectors, transposed]. */
export interface TargetShape {
  readonly count: number;
  readonly starts?: boolean | undefined;
  readonly terms: readonly (readonly [number, boolean])[];
}

export interface Example {
  readonly rows: BlockRows;
  readonly values: number;
  readonly height: number;
}

/** Sources lie in the first `sources` rows, targets after them, with a row that belongs to none between. */
export function exampleOf(shapes: readonly TargetShape[], keep: boolean, seed: number, alpha?: number): Example {
  const random = new RandomStream(seed);
  const whole = (below: number): number => Math.floor(random.uniform() * below);
  const sources = 1 + Math.max(20, ...shapes.flatMap(({ terms }) => terms.map(([k]) => k)));
  const builder = new BlockRowsBuilder(keep, alpha);
  let values = 3;
  let first = sources;
  for (const { count, starts, terms } of shapes) {
    builder.add(
      first,
      count,
      terms.map(([k, transposed]) => {
        const ld = (transposed ? k : count) + whole(3);
        const offset = values;
        values += ld * Math.max(0, transposed ? count : k) + whole(2);
        return { offset, ld, transposed, source: whole(sources - k), terms: k };
      }),
      starts === true ? Int32Array.from({ length: count }, () => whole(sources + 1) - 1) : undefined,
    );
    first += count + 1;
  }
  return { rows: builder.build(), values, height: first };
}

/**
 * V after the launch, by plain sums in double precision, and of each the bound that rounding keeps, in ε: the number of
 * its summands times the sum of their magnitudes.
 */
export function plain(
  { rows }: Example,
  values: FloatArray,
  vectors: FloatArray,
  width: number,
): { readonly result: Float64Array; readonly bound: Float64Array } {
  const result = Float64Array.from(vectors);
  const bound = new Float64Array(vectors.length);
  for (let b = 0; b < rows.first.length; b++) {
    for (let i = 0; i < rows.count[b]; i++) {
      const from = rows.startBegin[b] < 0 ? -1 : rows.starts[rows.startBegin[b] + i];
      for (let q = 0; q < width; q++) {
        const place = (rows.first[b] + i) * width + q;
        let sum = rows.keep ? vectors[place] : 0;
        let size = Math.abs(sum);
        let length = 3;
        if (from >= 0) {
          sum += vectors[from * width + q];
          size += Math.abs(vectors[from * width + q]);
        }
        for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) {
          // From one number of the block's row to the next.
          const step = rows.transposed[t] === 1 ? 1 : rows.ld[t];
          let at = rows.offset[t] + (rows.transposed[t] === 1 ? i * rows.ld[t] : i);
          length += rows.terms[t] + 1;
          for (let d = 0; d < rows.terms[t]; d++, at += step) {
            const part = (rows.alpha ?? 1) * values[at] * vectors[(rows.source[t] + d) * width + q];
            sum += part;
            size += Math.abs(part);
          }
        }
        result[place] = sum;
        bound[place] = size * length;
      }
    }
  }
  return { result, bound };
}

/** The largest |got − result|/(ε·bound): at most 1 where every sum keeps its bound. */
export function excess(got: FloatArray, expected: ReturnType<typeof plain>, precision: Precision): number {
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i] - expected.result[i]);
    if (difference === 0) continue;
    const share = difference / (ROUNDOFF[precision] * expected.bound[i]);
    worst = Math.max(worst, Number.isFinite(difference) ? share : Infinity);
  }
  return worst;
}
