/**
 * What the tests of optimizers share: a model's objective with an optimizer at work on it, and some steps.
 */
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import type { Precision } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import {
  PerceptronObjective,
  type PerceptronObjectiveOptions,
} from '#hmatrix/training/objective/perceptron-objective.js';
import type { Optimizer, StepPlan, StepReport, Stepper } from '#hmatrix/training/optimizer.js';

export interface AtWork {
  readonly model: Model;
  readonly objective: PerceptronObjective;
  readonly stepper: Stepper;
}

export type BeginOptions = Partial<
  Pick<PerceptronObjectiveOptions, 'rotatedInputs' | 'regularization' | 'dropout' | 'batchSize'>
> & { readonly team?: Team | undefined; readonly precision?: Precision };

export async function begin(optimizer: Optimizer, model: Model, options: BeginOptions = {}): Promise<AtWork> {
  const { precision = 'f64', batchSize = model.data.samples } = options;
  const objective = await PerceptronObjective.open({
    network: model.network,
    loss: model.loss,
    blas: defaultBlas(),
    curvature: optimizer.curvature,
    spare: optimizer.spare(model.network, batchSize),
    ...options,
    batchSize,
    precision,
  });
  objective.parameters.set(model.parameters);
  return { model, objective, stepper: optimizer.begin(objective) };
}

export const planOf = (model: Model, step: number, changes: Partial<StepPlan> = {}): StepPlan => ({
  step,
  factor: 1,
  layers: model.network.layers.map(() => ({ factor: 1, decay: 0, decayBias: false })),
  clip: null,
  ...changes,
});

/** Steps from … to − 1 on the data in turn, `batchSize` samples each. */
export function steps(
  { model, objective, stepper }: AtWork,
  from: number,
  to: number,
  { batchSize = model.data.samples, ...changes }: Partial<StepPlan> & { readonly batchSize?: number } = {},
): StepReport[] {
  const batches = Math.floor(model.data.samples / batchSize);
  return Array.from({ length: to - from }, (_, k) => {
    const step = from + k;
    objective.load(model.data.batch((step % batches) * batchSize, batchSize));
    return stepper.step(planOf(model, step, changes));
  });
}

/** Another one at the same point with the same state. */
export async function resumed(from: AtWork, optimizer: Optimizer, options: BeginOptions = {}): Promise<AtWork> {
  const to = await begin(optimizer, from.model, options);
  to.objective.parameters.set(from.objective.parameters);
  for (const [name, array] of Object.entries(from.stepper.arrays)) to.stepper.arrays[name].set(array);
  Object.assign(to.stepper.numbers, structuredClone(from.stepper.numbers));
  to.stepper.restored?.();
  return to;
}
