/**
 * What computes the passes of a model on a device: a card, or the team.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import type { Device, LaunchCost } from '../../device/device.js';
import type { GraphModel } from '../../layers/graph-model.js';

/** Curvature matrices whose products a device has. */
export const DEVICE_CURVATURES = ['gauss-newton', 'hessian', 'empirical-fisher'] as const;
/** The name of one. */
export type DeviceCurvature = (typeof DEVICE_CURVATURES)[number];

/** What a gradient and a product cost on a card, passes that are made again included. */
export interface DeviceModelLaunches {
  readonly gradient: LaunchCost;
  readonly product: LaunchCost;
}

/** Passes of all samples of a model. */
export interface DevicePasses {
  /** Samples whose passes are kept at a time. */
  readonly capacity: number;
  /** Bytes on the device. */
  readonly bytes: number;
  /** Of cards. */
  readonly launches: DeviceModelLaunches | null;
  setParameters(parameters: FloatArray): void;
  /** The mean loss; its gradient into `gradient`. */
  lossAndGradient(gradient: FloatArray): Promise<number>;
  /** out ← A·v, one vector. */
  product(v: FloatArray, out: FloatArray): Promise<void>;
  release(): void;
}

/** What passes are opened with. */
export interface PassesRequest {
  readonly model: GraphModel;
  readonly device: Device;
  readonly curvature: DeviceCurvature;
  readonly precision: Precision;
}
