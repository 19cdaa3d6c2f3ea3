/**
 * A Newton method at work, as the loop of a run takes its steps: here at once, on a device when they are made.
 */
import type { DeviceStepper, StepPlan, StepReport, Stepper } from '../optimizer.js';
import type { NewtonObjective } from './newton-objective.js';
import { later, now, type Steps } from './steps.js';

/** A method, wherever its vectors lie. */
export interface NewtonMethod extends Omit<Stepper, 'step'> {
  /** As `Stepper.step`. */
  steps(plan: StepPlan): Steps<StepReport>;
}

/** It here. */
export const here = (method: NewtonMethod): Stepper => ({
  arrays: method.arrays,
  numbers: method.numbers,
  get rules() {
    return method.rules;
  },
  ...(method.prepare === undefined ? {} : { prepare: async (signal) => method.prepare!(signal) }),
  step: (plan) => now(method.steps(plan)),
  restored: () => method.restored?.(),
});

/** It on a device, whose step ends when all of it was handed over. */
export const there = (method: NewtonMethod, objective: Pick<NewtonObjective, 'end'>): DeviceStepper => ({
  arrays: method.arrays,
  numbers: method.numbers,
  get rules() {
    return method.rules;
  },
  ...(method.prepare === undefined ? {} : { prepare: async (signal) => method.prepare!(signal) }),
  step: async (plan) => {
    const report = await later(method.steps(plan));
    await later(objective.end());
    return report;
  },
  restored: () => method.restored?.(),
});
