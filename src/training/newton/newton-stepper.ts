/**
 * A Newton method at work: a solver's direction d, and a search that says how far:
 *
 *   fixed    θ ← θ + αd, λ as it is
 *   armijo   backtracking along d, λ as it is
 *   wolfe    the strong Wolfe conditions along d, λ as it is
 *   ratio    θ ← θ + d where f falls; λ follows f's reduction over the model's
 *   radius   the same with ‖d‖ ≤ Δ, and Δ follows
 *
 * A step that does not lower f of the batch is not taken (but for 'fixed', which does not look).
 */
import { NonFiniteError, NotPositiveDefiniteError } from '../../core/errors.js';
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { StepPlan, StepReport } from '../optimizer.js';
import { nextDamping, nextRadius, reductionRatio, type DampingRule } from './adaptation.js';
import { armijo, wolfe, type LineEnd } from './line-search.js';
import { vectorNumbers } from '../objective/workspace.js';
import type { NewtonMethod } from './method.js';
import type { NewtonCurvature, NewtonObjective } from './newton-objective.js';
import { Point, type Slopes } from './point.js';
import type { Bound, Solved, Solver } from './solver.js';
import type { Steps } from './steps.js';
import type { Space } from './vectors.js';

/** The searches by name. */
export const SEARCHES = ['fixed', 'armijo', 'wolfe', 'ratio', 'radius'] as const;
/** How far a Newton method goes along its direction. */
export type SearchName = (typeof SEARCHES)[number];

/** What a Newton method is made of. */
export interface NewtonSettings {
  readonly curvature: NewtonCurvature;
  readonly search: SearchName;
  /** λ, the first one where it changes. */
  readonly damping: number;
  readonly rule: DampingRule;
  /** α of 'fixed'. */
  readonly learningRate: number;
  /** The first Δ, and the largest. */
  readonly radius: number;
  readonly mostRadius: number;
  /** Directions tried in a step before it is given up. */
  readonly tries: number;
}

/** Numbers of memory besides the solver's: the direction, a trial, and a place for a product or θ. */
export const newtonNumbers = ({ parameters }: ParameterLayout): number => 3 * vectorNumbers(parameters);

/** A step's direction, as solve and shape left it. */
interface Direction {
  readonly solved: Solved;
  readonly slopes: Slopes;
  /** gᵀd + ½dᵀCd of the d that is taken. */
  readonly model: number;
}

/** Solver and search on one objective, with vectors in S. */
export class NewtonStepper<S extends Space> implements NewtonMethod {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly numbers: Record<string, number>;
  readonly rules: readonly string[];
  readonly #settings: NewtonSettings;
  readonly #solver: Solver<S>;
  readonly #point: Point<S>;
  readonly #d: FloatArray;
  readonly #place: FloatArray;

  constructor(objective: NewtonObjective<S>, solver: Solver<S>, settings: NewtonSettings) {
    this.#settings = settings;
    this.#solver = solver;
    this.#point = new Point(objective);
    this.#d = objective.vector();
    this.#place = objective.vector();
    this.arrays = this.#solver.arrays ?? {};
    this.numbers = { damping: settings.damping, radius: settings.radius, negativeCurvatures: 0, rejections: 0 };
    this.rules = objective.network.layers.map(() => this.#solver.rule);
  }

  *steps(plan: StepPlan): Steps<StepReport> {
    const point = this.#point;
    yield* point.begin(plan);
    if (point.gradientNorm === 0) return point.report(0, { slope: 0, square: 0 });
    yield* this.#solver.prepare(point);
    const { search } = this.#settings;
    const byTrust = search === 'ratio' || search === 'radius';
    const report = byTrust ? yield* this.#byTrust(search) : yield* this.#alongLine(search);
    if (report.rejected === true) this.numbers['rejections']++;
    if (report.negativeCurvature !== undefined) this.numbers['negativeCurvatures']++;
    return report;
  }

  /** Solves and shapes; throws NonFiniteError. */
  *#direction(bound: Bound): Steps<Direction> {
    const point = this.#point;
    const d = this.#d;
    const solved = yield* this.#solver.solve(point, bound, d);
    const same = yield* point.shape(d);
    const slopes = yield* point.slopes(d);
    let { model } = solved;
    if (!same || model === null) {
      yield* point.product(this.#settings.curvature, 0, { v: d, out: this.#place });
      const [bend] = yield* point.space.dots([d, this.#place]);
      model = slopes.slope + 0.5 * bend;
    }
    return { solved, slopes, model };
  }

  *#alongLine(search: 'fixed' | 'armijo' | 'wolfe'): Steps<StepReport> {
    const point = this.#point;
    const d = this.#d;
    const damping = this.numbers['damping'];
    const { solved, slopes } = yield* this.#direction({ damping });
    const told = { ...solverReport(solved), damping };
    if (search === 'fixed') {
      const α = this.#settings.learningRate * point.plan.factor;
      yield* point.take(α, d, this.#settings.learningRate);
      return { ...point.report(α, slopes), ...told };
    }
    const start = { value: point.loss, slope: slopes.slope };
    let end: LineEnd;
    if (search === 'armijo') {
      end = yield* armijo((α) => point.tryStep(α, d), start);
      if (end.rate > 0) yield* point.take(end.rate, d);
    } else end = yield* this.#wolfe(start);
    return { ...point.report(end.rate, slopes), ...told, ...lineNote(search, end) };
  }

  *#wolfe(start: { readonly value: number; readonly slope: number }): Steps<LineEnd> {
    const end = yield* wolfeAlong(this.#point, { origin: this.#place, d: this.#d }, start);
    if (end.rate > 0) this.#point.decay();
    return end;
  }

  *#byTrust(search: 'ratio' | 'radius'): Steps<StepReport> {
    const { rule, tries, mostRadius } = this.#settings;
    const point = this.#point;
    const numbers = this.numbers;
    let report: StepReport | undefined;
    for (let k = 0; k < tries; k++) {
      const { damping, radius } = numbers;
      const bound = search === 'ratio' ? { damping } : { radius };
      let direction: Direction;
      try {
        direction = yield* this.#direction(bound);
      } catch (error) {
        // A damping that is too small for the precision is raised, once a try.
        const low = error instanceof NonFiniteError || error instanceof NotPositiveDefiniteError;
        if (!low || search === 'radius' || k + 1 === tries) throw error;
        numbers['damping'] = nextDamping(damping, 0, rule);
        continue;
      }
      const { solved, slopes, model } = direction;
      const after = yield* point.tryStep(1, this.#d);
      const ratio = reductionRatio(point.loss, after, model);
      if (search === 'ratio') numbers['damping'] = nextDamping(damping, ratio, rule);
      else {
        const length = Math.sqrt(slopes.square);
        numbers['radius'] = nextRadius(radius, { ratio, length, boundary: solved.boundary === true, most: mostRadius });
      }
      const taken = ratio > 0 && after < point.loss;
      if (taken) yield* point.take(1, this.#d);
      report = {
        ...point.report(taken ? 1 : 0, slopes),
        ...solverReport(solved),
        ratio,
        ...(search === 'ratio' ? { damping } : { radius }),
      };
      if (taken) break;
    }
    return report!;
  }
}

/** What a solve tells of itself. */
export function solverReport({ iterations, residual, negativeCurvature, damping }: Solved): Partial<StepReport> {
  return {
    ...(iterations === undefined ? {} : { cgIterations: iterations }),
    ...(residual === undefined ? {} : { residual }),
    ...(typeof negativeCurvature === 'number' && negativeCurvature < 0 ? { negativeCurvature } : {}),
    ...(damping === undefined ? {} : { damping }),
  };
}

/** A note where a search ended without its conditions. */
export function lineNote(search: 'armijo' | 'wolfe', { rate, met }: LineEnd): { note?: string } {
  if (rate === 0) return { note: 'no decrease along the direction' };
  return search === 'wolfe' && met !== 'strong-wolfe' ? { note: 'sufficient decrease alone' } : {};
}

/**
 * The strong Wolfe conditions along d from θ: θ is then the end, `gradient` its gradient. Where no decrease was found
 * θ is as before, and the gradient is not to be used.
 */
export function* wolfeAlong<S extends Space>(
  point: Point<S>,
  { origin, d }: { readonly origin: FloatArray; readonly d: FloatArray },
  start: { readonly value: number; readonly slope: number },
  options: { readonly first?: number; readonly curvature?: number } = {},
): Steps<LineEnd> {
  const { parameters } = point.objective;
  point.space.copy(parameters, origin);
  const restore = (): void => {
    point.space.copy(origin, parameters);
  };
  try {
    const end = yield* wolfe(
      function* (α) {
        const value = yield* point.moveTo(origin, α, d);
        const [slope] = value < Infinity ? yield* point.space.dots([point.gradient, d]) : [Number.NaN];
        return { value, slope };
      },
      start,
      options,
    );
    if (end.rate === 0) restore();
    return end;
  } catch (error) {
    restore();
    throw error;
  }
}
