/**
 * Limited-memory BFGS (D. Liu, J. Nocedal, Math. Programming 45, 1989): d = −Hg by the two-loop recursion over the last
 * pairs s = θ₊ − θ, y = g₊ − g of one batch, H₀ = (sᵀy/yᵀy)I of the newest, along d the strong Wolfe conditions. A pair
 * whose sᵀy is not positive is left out.
 */
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { StepPlan, StepReport } from '../optimizer.js';
import type { LineEnd } from './line-search.js';
import type { NewtonMethod } from './method.js';
import type { NewtonObjective } from './newton-objective.js';
import { lineNote, wolfeAlong } from './newton-stepper.js';
import { vectorNumbers } from '../objective/workspace.js';
import { Point, type Slopes } from './point.js';
import type { Steps } from './steps.js';
import type { Space } from './vectors.js';

/** Least cosine of s and y of a pair that is kept. */
const LEAST_COSINE = 1e-10;

/** Numbers of memory for a history. */
export const lbfgsNumbers = ({ parameters }: ParameterLayout, history: number): number =>
  (2 * history + 5) * vectorNumbers(parameters);

/** L-BFGS on one objective, with vectors in S. */
export class LbfgsStepper<S extends Space> implements NewtonMethod {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  /** `pairs` of the history are used, the newest of which is `newest`; `loss` is f where `ended` is θ. */
  readonly numbers: Record<string, number> = { pairs: 0, newest: -1, loss: 0, skipped: 0, rejections: 0 };
  readonly rules: readonly string[];
  readonly #point: Point<S>;
  readonly #curvature: number;
  readonly #s: readonly FloatArray[];
  readonly #y: readonly FloatArray[];
  readonly #d: FloatArray;
  readonly #origin: FloatArray;
  /** θ at the end of the last step, and the gradient there, while the batch stays loaded. */
  readonly #ended: FloatArray;
  readonly #gradient: FloatArray;
  readonly #weights: Float64Array;
  #loads = -1;

  constructor(
    objective: NewtonObjective<S>,
    { history, curvature }: { readonly history: number; readonly curvature: number },
  ) {
    this.#point = new Point(objective);
    this.#curvature = curvature;
    const vector = (): FloatArray => objective.vector();
    const state = (): FloatArray => objective.state();
    this.#s = Array.from({ length: history }, state);
    this.#y = Array.from({ length: history }, state);
    this.#d = vector();
    this.#origin = vector();
    this.#ended = vector();
    this.#gradient = vector();
    this.#weights = new Float64Array(history);
    this.arrays = Object.fromEntries([
      ...this.#s.map((s, k) => [`step${k}`, s] as const),
      ...this.#y.map((y, k) => [`change${k}`, y] as const),
    ]);
    this.rules = objective.network.layers.map(() => 'lbfgs');
  }

  restored(): void {
    this.#loads = -1;
  }

  *steps(plan: StepPlan): Steps<StepReport> {
    const point = this.#point;
    const { space } = point;
    yield* this.#begin(plan);
    if (point.gradientNorm === 0) return point.report(0, { slope: 0, square: 0 });
    space.copy(point.gradient, this.#gradient);
    let fell = yield* this.#search(yield* this.#direct());
    if (fell.end.rate === 0 && this.numbers['pairs'] > 0) {
      // The history belongs to another place: once more down the gradient.
      this.numbers['pairs'] = 0;
      space.copy(this.#gradient, point.gradient);
      fell = yield* this.#search(yield* this.#direct());
    }
    const { end, slopes } = fell;
    if (end.rate === 0) {
      this.#loads = -1;
      this.numbers['rejections']++;
      return { ...point.report(0, slopes), ...lineNote('wolfe', end) };
    }
    const negative = yield* this.#learn(end.rate);
    this.numbers['loss'] = end.value;
    space.copy(point.objective.parameters, this.#ended);
    space.copy(point.gradient, this.#gradient);
    this.#loads = point.objective.batch.loads;
    point.decay();
    return {
      ...point.report(end.rate, slopes),
      ...lineNote('wolfe', end),
      ...(negative === null ? {} : { negativeCurvature: negative, note: 'a pair without positive curvature left out' }),
    };
  }

  /** The gradient at θ: that with which the last step ended, where batch and θ are still those. */
  *#begin(plan: StepPlan): Steps<void> {
    const point = this.#point;
    const { objective, space } = point;
    const loaded = this.#loads === objective.batch.loads && !objective.batch.isRandom;
    if (!loaded || !(yield* this.#isAtEnd())) {
      yield* point.begin(plan);
      return;
    }
    space.copy(this.#gradient, point.gradient);
    yield* point.resume(plan, this.numbers['loss']);
  }

  /** Whether θ is what the last step ended with. */
  *#isAtEnd(): Steps<boolean> {
    const { objective, space } = this.#point;
    space.copy(objective.parameters, this.#d);
    space.add(-1, this.#ended, this.#d);
    const [square] = yield* space.dots([this.#d, this.#d]);
    return square === 0;
  }

  /** d ← −Hg; a history by which that does not go down is dropped. */
  *#direct(): Steps<Slopes> {
    const point = this.#point;
    const { space } = point;
    yield* this.#recursion();
    yield* point.shape(this.#d);
    if (this.numbers['pairs'] > 0) {
      const [slope] = yield* space.dots([point.gradient, this.#d]);
      if (!(slope < 0) || !Number.isFinite(slope)) {
        this.numbers['pairs'] = 0;
        yield* this.#recursion();
        yield* point.shape(this.#d);
      }
    }
    return yield* point.slopes(this.#d);
  }

  *#recursion(): Steps<void> {
    const { space, gradient } = this.#point;
    const { pairs, newest } = this.numbers;
    const history = this.#s.length;
    const d = this.#d;
    space.combine(-1, gradient, 0, d);
    for (let k = 0; k < pairs; k++) {
      const at = (newest - k + history) % history;
      const [sd, sy] = yield* space.dots([this.#s[at], d], [this.#s[at], this.#y[at]]);
      this.#weights[at] = sd / sy;
      space.add(-this.#weights[at], this.#y[at], d);
    }
    if (pairs > 0) {
      const y = this.#y[newest];
      const [sy, yy] = yield* space.dots([this.#s[newest], y], [y, y]);
      space.scale(sy / yy, d);
    }
    for (let k = pairs - 1; k >= 0; k--) {
      const at = (newest - k + history) % history;
      const [yd, sy] = yield* space.dots([this.#y[at], d], [this.#s[at], this.#y[at]]);
      space.add(this.#weights[at] - yd / sy, this.#s[at], d);
    }
  }

  *#search(slopes: Slopes): Steps<{ readonly end: LineEnd; readonly slopes: Slopes }> {
    const point = this.#point;
    // Without a history the length of d means nothing: the first step is at most 1 long.
    const first = this.numbers['pairs'] > 0 ? 1 : Math.min(1, 1 / Math.sqrt(slopes.square));
    const end = yield* wolfeAlong(
      point,
      { origin: this.#origin, d: this.#d },
      { value: point.loss, slope: slopes.slope },
      { first, curvature: this.#curvature },
    );
    return { end, slopes };
  }

  /** The pair of this step into the history; its curvature where that is not positive. */
  *#learn(rate: number): Steps<number | null> {
    const { space, gradient } = this.#point;
    const { numbers } = this;
    const at = (numbers['newest'] + 1) % this.#s.length;
    const s = this.#s[at];
    const y = this.#y[at];
    // Into the oldest pair's place, which is lost if this one is left out.
    numbers['pairs'] = Math.min(numbers['pairs'], this.#s.length - 1);
    space.combine(rate, this.#d, 0, s);
    space.copy(gradient, y);
    space.add(-1, this.#gradient, y);
    const [sy, ss, yy] = yield* space.dots([s, y], [s, s], [y, y]);
    if (!(sy > LEAST_COSINE * Math.sqrt(ss * yy))) {
      numbers['skipped']++;
      return sy / ss;
    }
    numbers['pairs']++;
    numbers['newest'] = at;
    return null;
  }
}
