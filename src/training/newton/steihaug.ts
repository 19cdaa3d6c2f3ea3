/**
 * min gᵀd + ½dᵀAd over ‖d‖ ≤ Δ by conjugate gradients that end at the boundary: where an iterate would leave the ball,
 * or along a direction whose curvature is not positive (T. Steihaug, SIAM J. Numer. Anal. 20(3), 1983; Ph. Toint,
 * 1981). The first iterate is Cauchy's point, and every further one is lower: the decrease is at least Cauchy's.
 */
import type { FloatArray } from '../../core/floats.js';
import type { CgPlaces } from './conjugate-gradients.js';
import type { Steps } from './steps.js';
import type { Product, Space } from './vectors.js';

/** How the iteration ended. */
export interface SteihaugOutcome {
  readonly stop: 'tolerance' | 'boundary' | 'negative-curvature' | 'limit' | 'breakdown';
  readonly iterations: number;
  readonly products: number;
  /** ‖Ad + g‖/‖g‖ where it last was known: before the boundary. */
  readonly residual: number;
  /** gᵀd + ½dᵀAd. */
  readonly model: number;
  readonly negativeCurvature: number | null;
}

/** d ← the approximate minimizer. A product and 12N flops an iteration, which waits for numbers once. */
export function* steihaug(
  space: Space,
  product: Product,
  { g, d }: { readonly g: FloatArray; readonly d: FloatArray },
  { r, p, q }: CgPlaces,
  {
    radius,
    iterations,
    tolerance,
  }: { readonly radius: number; readonly iterations: number; readonly tolerance: number },
): Steps<SteihaugOutcome> {
  space.clear(d);
  space.combine(-1, g, 0, r);
  space.copy(r, p);
  let [rr] = yield* space.dots([r, r]);
  const norm = Math.sqrt(rr);
  let model = 0;
  let i = 0;
  let stop: SteihaugOutcome['stop'] = norm === 0 ? 'tolerance' : 'limit';
  let negativeCurvature: number | null = null;
  while (stop === 'limit' && i < iterations) {
    yield* product(p, q);
    i++;
    const step = { x: d, r, p, q, rule: { rz: rr, radius } };
    const { length, before, after } = yield* space.advance(step, () => undefined, [[r, r]]);
    const [bend, pp] = before;
    if (!Number.isFinite(bend / pp)) {
      stop = 'breakdown';
      break;
    }
    const { along, across } = length;
    // Along p the model changes by −τ rᵀp + ½τ² pᵀAp, and rᵀp = rᵀr.
    model += -along * rr + 0.5 * along * along * bend;
    if (across === 0) {
      if (!(bend > 0)) negativeCurvature = bend / pp;
      stop = bend > 0 ? 'boundary' : 'negative-curvature';
      break;
    }
    const [following] = after;
    if (Math.sqrt(following) <= tolerance * norm) stop = 'tolerance';
    else space.combine(1, r, following / rr, p);
    rr = following;
  }
  return {
    stop,
    iterations: i,
    products: i,
    residual: norm === 0 ? 0 : Math.sqrt(rr) / norm,
    model,
    negativeCurvature,
  };
}
