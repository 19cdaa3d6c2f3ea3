/**
 * An objective here as K-FAC takes it.
 */
import type { FloatArray } from '../../core/floats.js';
import { onHost } from '../newton/newton-objective.js';
import { ready, type Steps } from '../newton/steps.js';
import type { Vectors } from '../newton/vectors.js';
import type { Objective } from '../objective/objective.js';
import { spanOf } from '../objective/workspace.js';
import { shiftsOf, type InverseRequest, type KfacObjective, type KroneckerState } from './kfac-objective.js';
import { KroneckerSides, type SidesOptions } from './kronecker-sides.js';

/** The objective. */
export function kfacOnHost(objective: Objective, options: SidesOptions): KfacObjective<Vectors> {
  const { precision, regularization, usesBatchStatistics } = objective;
  return {
    ...onHost(objective),
    precision,
    regularization,
    usesBatchStatistics,
    kronecker: () => new HostKronecker(objective, options),
    quadratic: (vectors, samples) => ready(objective.quadratic(vectors, samples)),
  };
}

class HostKronecker implements KroneckerState {
  readonly sides: KroneckerSides['sides'];
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: Objective;
  readonly #sides: KroneckerSides;

  constructor(objective: Objective, options: SidesOptions) {
    this.#objective = objective;
    this.#sides = new KroneckerSides(objective, options);
    this.sides = this.#sides.sides;
    this.arrays = this.#sides.arrays();
  }

  update(keep: number, step: number, samples: number): Steps<void> {
    this.#sides.update(keep, step, samples);
    return ready(undefined);
  }

  rebase(): Steps<ReadonlySet<number>> {
    return ready(this.#sides.rebase());
  }

  solve(request: InverseRequest): void {
    const { from, to, places, factors } = request;
    const objective = this.#objective;
    const { layers } = objective.network;
    const part = (ℓ: number): FloatArray => {
      const { offset, width, outputs } = layers[ℓ];
      return to.subarray(offset, offset + width * outputs);
    };
    factors.forEach((factor, ℓ) => {
      if (factor === null) part(ℓ).fill(0);
    });
    objective.turn({
      bases: factors.map((factor, ℓ) =>
        factor === null ? null : (this.#sides.basis(ℓ) ?? { input: null, output: null }),
      ),
      enter: { from: spanOf(from), left: spanOf(to), turned: null },
      rotated: spanOf(places[0]),
      between: {
        kind: 'divide',
        layers: factors.map((factor, ℓ) => {
          if (factor === null) return null;
          const [input, output] = this.sides[ℓ].map(({ values }) => values!);
          return { inputs: spanOf(input), outputs: spanOf(output), ...shiftsOf(request, input, output) };
        }),
      },
      leave: { right: spanOf(places[1]), to: spanOf(to) },
      update: null,
    });
    factors.forEach((factor, ℓ) => {
      if (factor !== null) objective.kernels.combine(part(ℓ).length, factor, part(ℓ), 0, part(ℓ));
    });
  }
}
