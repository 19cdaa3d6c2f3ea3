/**
 * An objective on a device as the Newton methods take it: what they ask for runs in the order they ask.
 */
import type { FloatArray } from '../../core/floats.js';
import type { NewtonCurvature, NewtonObjective } from '../newton/newton-objective.js';
import { awaited } from '../newton/steps.js';
import type { DeviceVectors } from './device-vectors.js';

/** What is asked of an objective on a device. */
export interface AskedObjective extends Pick<NewtonObjective, 'network' | 'parameters'> {
  readonly count: number;
  readonly loads: number;
  readonly isRandom: boolean;
  vector(): FloatArray;
  evaluate(step: number): Promise<number>;
  trial(vector: FloatArray, step: number | null): Promise<number>;
  product(of: NewtonCurvature, v: FloatArray, out: FloatArray, samples: number): Promise<void>;
}

/** The objective. */
export function onDevice(
  objective: AskedObjective,
  {
    space,
    gradient,
    vector,
  }: { readonly space: DeviceVectors; readonly gradient: FloatArray; readonly vector: () => FloatArray },
): NewtonObjective<DeviceVectors> {
  const { network, parameters } = objective;
  return {
    network,
    batch: objective,
    space,
    parameters,
    gradient,
    vector,
    state: () => objective.vector(),
    evaluate: (step) => awaited(space.ask(async () => objective.evaluate(step))),
    measure: (θ, step) => awaited(space.ask(async () => objective.trial(θ, step))),
    product: (of, v, out, samples) => awaited(space.ask(async () => objective.product(of, v, out, samples))),
    end: () => awaited(space.ask(async () => undefined)),
  };
}
