/**
 * Devices: memory and products beside this machine's processor, and the team behind the same contract.
 */
export type { BlockRows } from '../device/block-rows.js';
export type {
  Arithmetic,
  Device,
  DeviceBuffer,
  DeviceCounters,
  DeviceMemory,
  DeviceName,
  LaunchCost,
  LaunchOperands,
  PreparedRows,
  PreparedWork,
} from '../device/device.js';
export type { ResidentOperator, VectorLayout } from '../device/resident-operator.js';
export { describeDevices, openDevice, type DeviceOptions, type DeviceOutcome } from '../device/open.js';
export type { TensorFlow } from '../device/tfjs/api.js';
export type { Block } from '../device/work/demand.js';
export type { Gathers, Piece, Places } from '../device/work/gathers.js';
export type { BlockProducts, ProductTarget, ProductTerm } from '../device/work/products.js';
export type { Choleskys, Substitutions, SubstitutionTarget, TrianglePlace } from '../device/work/triangles.js';
export type { Coefficient, Combination, InnerProducts } from '../device/work/vectors.js';
export type { Work, WorkKind, WorkKinds, WorkOperands } from '../device/work/work.js';
export { putModel, type DeviceModel, type DeviceModelOptions } from '../curvature/device/model.js';
export type { DeviceCurvature, DeviceModelLaunches } from '../curvature/device/passes.js';
