/**
 * Training: optimizers, schedules, runs and their checkpoints.
 */
export { train } from '../training/train.js';
export {
  trainVariational,
  type NetworkAtWork,
  type VariationalModel,
  type VariationalOptions,
  type VariationalParameters,
  type VariationalRun,
} from '../training/variational.js';
export type {
  Evaluated,
  LayerGroup,
  Schedule,
  ScheduleTime,
  TrainingOutcome,
  TrainingRun,
  TrainOptions,
} from '../training/train-options.js';
export { readCheckpoint, type Checkpoint } from '../training/checkpoint.js';
export type { LayerPlan, Optimizer, Setting, StepPlan, StepReport, Stepper } from '../training/optimizer.js';
export type { TeamChoice } from '../training/objective/team-trial.js';
export {
  adagrad,
  adam,
  adamw,
  momentum,
  nesterov,
  rmsprop,
  sgd,
  type AdagradOptions,
  type AdamOptions,
  type AdamwOptions,
  type MomentumOptions,
  type RmspropOptions,
  type SgdOptions,
} from '../training/optimizers/first-order.js';
export { ekfacAdam, type EkfacAdamOptions } from '../training/optimizers/ekfac-adam.js';
export {
  dampedNewton,
  newton,
  type DampedNewtonOptions,
  type NewtonOptions,
} from '../training/optimizers/dense-newton.js';
export { HF_PRECONDITIONERS, hessianFree, type HessianFreeOptions } from '../training/optimizers/hessian-free.js';
export { lbfgs, type LbfgsOptions } from '../training/optimizers/lbfgs.js';
export {
  levenbergMarquardt,
  LM_SOLVERS,
  type LevenbergMarquardtOptions,
} from '../training/optimizers/levenberg-marquardt.js';
export {
  gaussNewtonCg,
  newtonCg,
  newtonLanczos,
  type NewtonCgOptions,
  type NewtonLanczosOptions,
} from '../training/optimizers/newton-cg.js';
export {
  OPTIMIZERS,
  optimizerOf,
  type OptimizerChoice,
  type OptimizerName,
  type OptimizerSettings,
} from '../training/optimizers/table.js';
export { kfacOptimizer } from '../training/optimizers/kfac.js';
export type { KfacOptimizerOptions } from '../training/optimizers/kfac-options.js';
export type { Statistics } from '../training/optimizers/kronecker-sides.js';
export {
  constantSchedule,
  cosineSchedule,
  cyclicSchedule,
  exponentialSchedule,
  joinedSchedules,
  oneCycleSchedule,
  stepSchedule,
  timeSchedule,
  warmUpSchedule,
  type CosineScheduleOptions,
  type CyclicMode,
  type CyclicScheduleOptions,
  type ExponentialScheduleOptions,
  type OneCycleScheduleOptions,
  type ScheduleStretch,
  type StepScheduleOptions,
  type TimeScheduleOptions,
  type WarmUpScheduleOptions,
} from '../training/schedules.js';
export {
  imageAugmentation,
  type ImageAugmentation,
  type ImageAugmentationOptions,
  type ImageSize,
} from '../training/data/image-augmentation.js';
