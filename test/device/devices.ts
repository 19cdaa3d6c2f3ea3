/**
 * The devices that tests run on, and what each misses here: its tests skip, saying so.
 */
import type { Precision } from '#hmatrix/core/floats.js';
import type { DeviceName } from '#hmatrix/device/device.js';
import { hasAdapter, NO_ADAPTER } from './adapter.js';
import { hasStandIn, NO_COMPILER } from './cuda-stand-in/stand-in.js';
import { NO_TENSORFLOW, tensorFlow } from './tensorflow.js';

/** Each device in each of its precisions; files that take them call `useStandIn`. */
export const DEVICES: readonly (readonly [DeviceName, Precision])[] = [
  ['cpu', 'f64'],
  ['cpu', 'f32'],
  ['cuda', 'f64'],
  ['cuda', 'f32'],
  ['webgpu', 'f32'],
  ['tfjs', 'f32'],
];

/** Each implementation of kernels once, for what is made of launches that conformance tests have shown to be right. */
export const FEW_DEVICES = DEVICES.filter(
  ([name, precision]) => name !== 'tfjs' && (precision === 'f64' || name === 'webgpu'),
);

/** Undefined where nothing is missing. */
export function whatIsMissing(name: DeviceName): string | undefined {
  if (name === 'webgpu' && !hasAdapter) return NO_ADAPTER;
  if (name === 'tfjs' && tensorFlow === undefined) return NO_TENSORFLOW;
  return name === 'cuda' && !hasStandIn ? NO_COMPILER : undefined;
}
