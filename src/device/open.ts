/**
 * The one place that picks a device.
 */
import { requireName, requireMemoryLimit } from '../core/checks.js';
import { requireControl } from '../core/context.js';
import { HmatrixError, LibraryError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { availableMemory } from '../io/machine.js';
import { messageOf } from '../native/koffi.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { CpuDevice } from './cpu/device.js';
import { DEVICE_NAMES, type Device, type DeviceName } from './device.js';
import { openWebgpu } from './webgpu/device.js';
import { findAdapter } from './webgpu/library.js';

/** How much a device may take. */
export interface DeviceOptions {
  /**
   * Most bytes that may lie on the device; more is refused before it is sent. Default: on `cpu` what this machine has
   * free when the device is opened, else no limit, for WebGPU does not tell how much a card has.
   */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link DeviceOptions}. */
const DEVICE_KEYS: KeysOf<DeviceOptions> = { memoryLimit: 'number' };

/** The names that `openDevice` takes. */
export const DEVICE_CHOICES = ['auto', ...DEVICE_NAMES] as const;

/** A device that was looked for. */
export interface DeviceOutcome {
  readonly device: DeviceName;
  readonly usable: boolean;
  /** What it is, where it is usable. */
  readonly description?: string | undefined;
  /** Whether the processor does its work: 'auto' then takes the team, which does it faster. */
  readonly software?: boolean | undefined;
  /** Why it is not usable. */
  readonly reason?: string | undefined;
}

/** Every device but the team, and what became of the search for it. Nothing is opened. */
export async function describeDevices(): Promise<DeviceOutcome[]> {
  try {
    const { description, software } = await findAdapter();
    return [{ device: 'webgpu', usable: true, description, software }];
  } catch (error) {
    return [{ device: 'webgpu', usable: false, reason: messageOf(error) }];
  }
}

/**
 * Opens a device: 'webgpu', a graphics card by WebGPU (the browser's, or the package webgpu), in float32; 'cpu', the
 * team of the control; or 'auto', the card where there is one, else the team, with a description that says why. What is
 * named is opened or refused. Close it with `close()`. Throws OptionError, and where the device that is named cannot be
 * used LibraryError or DeviceError, with the reason.
 */
export async function openDevice(
  name: DeviceName | 'auto' = 'auto',
  options: DeviceOptions = {},
  control: Control = {},
): Promise<Device> {
  requireName(name, 'device', 'openDevice', DEVICE_CHOICES);
  requireKnownOptions(options, DEVICE_KEYS, 'openDevice');
  requireControl(control, 'openDevice');
  const { memoryLimit } = options;
  if (memoryLimit !== undefined) requireMemoryLimit(memoryLimit);
  const cpu = async (because?: string): Promise<Device> =>
    new CpuDevice((await onTeam(control, 'openDevice')).team, memoryLimit ?? availableMemory(), because);
  if (name === 'cpu') return cpu();
  try {
    const found = await findAdapter();
    if (name === 'auto' && found.software)
      throw new LibraryError(`webgpu has a software adapter alone, ${found.description}.`);
    return await openWebgpu(found, { memoryLimit: memoryLimit ?? Number.POSITIVE_INFINITY });
  } catch (error) {
    if (name !== 'auto' || !(error instanceof HmatrixError)) throw error;
    return await cpu(messageOf(error));
  }
}
