/**
 * The devices that tests run on, and what each misses here: its tests skip, saying so.
 */
import { afterAll, beforeAll, it } from 'vitest';
import type { Precision } from '#hmatrix/core/floats.js';
import type { Device, DeviceName } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { hasAdapter, NO_ADAPTER } from './adapter.js';
import { hasStandIn, NO_COMPILER, useStandIn } from './cuda-stand-in/stand-in.js';
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

/** Those but the team; kernels of CUDA are the same text in either precision. */
export const CARDS = FEW_DEVICES.filter(([name]) => name !== 'cpu');

/** Undefined where nothing is missing. */
export function whatIsMissing(name: DeviceName): string | undefined {
  if (name === 'webgpu' && !hasAdapter) return NO_ADAPTER;
  if (name === 'tfjs' && tensorFlow === undefined) return NO_TENSORFLOW;
  return name === 'cuda' && !hasStandIn ? NO_COMPILER : undefined;
}

/**
 * Opens the device of a block before its tests, which `take` it, and closes it behind them; false where something is
 * missing, which a skipped test says.
 */
export function useDevice(name: DeviceName, take: (device: Device) => void): boolean {
  const missing = whatIsMissing(name);
  if (missing !== undefined) {
    it.skip(missing);
    return false;
  }
  if (name === 'cuda') useStandIn();
  let opened: Device;
  beforeAll(async () => {
    take((opened = await openDevice(name)));
  });
  afterAll(async () => opened.close());
  return true;
}
