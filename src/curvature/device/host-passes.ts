/**
 * The passes of a model on the device `cpu`: those of the team.
 */
import { floats, precisionOf, type FloatArray } from '../../core/floats.js';
import { view } from '../../dense/matrix.js';
import { lossAndGradient } from '../../layers/gradient.js';
import type { GraphModel } from '../../layers/graph-model.js';
import type { Team } from '../../parallel/team.js';
import { GraphOperator } from '../graphs/operator.js';
import type { DeviceCurvature, DevicePasses, PassesRequest } from './passes.js';

/** A model on the team. */
export class HostPasses implements DevicePasses {
  readonly launches = null;
  readonly #curvature: DeviceCurvature;
  readonly #team: Team;
  #model: GraphModel;
  #operator: GraphOperator | undefined;

  constructor({ model, curvature, precision }: PassesRequest, team: Team) {
    this.#curvature = curvature;
    this.#team = team;
    const { parameters } = model;
    this.#model = { ...model, parameters: floats(parameters.length, precision) };
    this.#model.parameters.set(parameters);
  }

  get capacity(): number {
    return this.#operator?.capacity ?? this.#model.data.samples;
  }

  get bytes(): number {
    return this.#operator?.bytes ?? 0;
  }

  setParameters(parameters: FloatArray): void {
    this.release();
    const own = floats(parameters.length, precisionOf(this.#model.parameters));
    own.set(parameters);
    this.#model = { ...this.#model, parameters: own };
  }

  async lossAndGradient(gradient: FloatArray): Promise<number> {
    const { blas } = this.#team;
    const found = lossAndGradient(this.#model, { blas });
    gradient.set(found.gradient);
    return found.loss;
  }

  async product(v: FloatArray, out: FloatArray): Promise<void> {
    const team = this.#team;
    const operator = (this.#operator ??= new GraphOperator(
      this.#model,
      { kind: this.#curvature },
      { blas: team.blas, team },
    ));
    const { rows } = operator;
    operator.applyUnchecked(view(out, 0, rows, 1), view(v, 0, rows, 1), 1, 0);
  }

  release(): void {
    this.#operator?.release();
    this.#operator = undefined;
  }
}
