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

/** What a stepper has of a method as it is; `rules` may change. */
const stateOf = (method: NewtonMethod): Omit<Stepper, 'step'> => ({
  arrays: method.arrays,
  numbers: method.numbers,
  get rules() {
    return method.rules;
  },
  ...(method.prepare === undefined ? {} : { prepare: async (signal) => method.prepare!(signal) }),
  restored: () => method.restored?.(),
});

/** It here. */
export const here = (method: NewtonMethod): Stepper =>
  Object.assign(stateOf(method), { step: (plan: StepPlan) => now(method.steps(plan)) });

/** It on a device, whose step ends when all of it was handed over. */
export const there = (method: NewtonMethod, objective: Pick<NewtonObjective, 'end'>): DeviceStepper =>
  Object.assign(stateOf(method), {
    step: async (plan: StepPlan) => {
      const report = await later(method.steps(plan));
      await later(objective.end());
      return report;
    },
  });
