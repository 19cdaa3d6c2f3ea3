/**
 * The one place that picks a device.
 */
import { requireName, requireMemoryLimit } from '../core/checks.js';
import { requireControl } from '../core/context.js';
import { HmatrixError, OptionError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { availableMemory } from '../io/machine.js';
import { messageOf } from '../native/koffi.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { CpuDevice } from './cpu/device.js';
import { findCard, openCuda } from './cuda/open.js';
import { DEVICE_NAMES, type Device, type DeviceName } from './device.js';
import type { TensorFlow } from './tfjs/api.js';
import { openTfjs } from './tfjs/device.js';
import { findTensorFlow } from './tfjs/library.js';
import { openWebgpu } from './webgpu/device.js';
import { findAdapter } from './webgpu/library.js';

/** How much a device may take, and what one is opened on. */
export interface DeviceOptions {
  /**
   * Most bytes that may lie on the device; more is refused before it is sent. Default: on `cpu` and `cuda` what the
   * machine or the card has free when the device is opened; on `webgpu` and `tfjs`, which do not tell that, no
   * limit.
   */
  readonly memoryLimit?: number | undefined;
  /**
   * Of `tfjs`: TensorFlow.js as the program has it, with the backend that it has set (`import * as tf from
   * '@tensorflow/tfjs'`). Default: the first of @tensorflow/tfjs-node-gpu, tfjs-node, tfjs and tfjs-core that is
   * installed, the last two with the backends beside them.
   */
  readonly tf?: TensorFlow | undefined;
}
/** The keys of {@link DeviceOptions}. */
const DEVICE_KEYS: KeysOf<DeviceOptions> = { memoryLimit: 'number', tf: true };

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

/** Devices that are no team's, in the order in which `auto` prefers them; it leaves `tfjs` alone. */
type CardName = Exclude<DeviceName, 'cpu'>;

/** A card that can be opened, and what it is. */
interface Found {
  readonly description: string;
  readonly software?: boolean | undefined;
  readonly open: (memoryLimit: number | undefined) => Promise<Device>;
}

/** How each is looked for. */
const CARDS: Readonly<Record<CardName, (tf?: TensorFlow) => Promise<Found>>> = {
  cuda: async () => {
    const card = findCard();
    return {
      // Which looks for cuBLAS.
      get description() {
        return card.description;
      },
      software: false,
      open: async (memoryLimit) => openCuda(card, { memoryLimit }),
    };
  },
  webgpu: async () => {
    const found = await findAdapter();
    const { description, software } = found;
    const open = (memoryLimit = Number.POSITIVE_INFINITY): Promise<Device> => openWebgpu(found, { memoryLimit });
    return { description, software, open };
  },
  tfjs: async (tf) => {
    const found = await findTensorFlow(tf);
    const open = (memoryLimit = Number.POSITIVE_INFINITY): Promise<Device> => openTfjs(found, { memoryLimit });
    return { description: found.description, open };
  },
};
const CARD_NAMES = Object.keys(CARDS) as CardName[];

/** Every device but the team, in the order in which `auto` tries them, and what became of the search for each. */
export const describeDevices = (): Promise<DeviceOutcome[]> =>
  Promise.all(
    CARD_NAMES.map(async (device): Promise<DeviceOutcome> => {
      try {
        const { description, software } = await CARDS[device]();
        return { device, usable: true, description, software };
      } catch (error) {
        return { device, usable: false, reason: messageOf(error) };
      }
    }),
  );

/**
 * Opens a device: 'cuda', a card of NVIDIA's in float64 and float32; 'webgpu', a graphics card by WebGPU (the
 * browser's, or the package webgpu), in float32; 'tfjs', any backend of TensorFlow.js (an optional package, or what
 * `tf` hands over), in float32; 'cpu', the team of the control; or 'auto', the first of cuda, webgpu and cpu that there
 * is, with a description that says, of the team, why. What is named is opened or refused. Close it with `close()`.
 * Throws OptionError, and where the device that is named cannot be used LibraryError or DeviceError, with the reason.
 */
export async function openDevice(
  name: DeviceName | 'auto' = 'auto',
  options: DeviceOptions = {},
  control: Control = {},
): Promise<Device> {
  requireName(name, 'device', 'openDevice', DEVICE_CHOICES);
  requireKnownOptions(options, DEVICE_KEYS, 'openDevice');
  requireControl(control, 'openDevice');
  const { memoryLimit, tf } = options;
  if (memoryLimit !== undefined) requireMemoryLimit(memoryLimit);
  if (tf !== undefined && name !== 'tfjs')
    throw new OptionError(`openDevice takes tf for the device tfjs, not for ${name}: openDevice('tfjs', { tf }).`, {
      device: name,
    });
  if (name !== 'cpu' && name !== 'auto') return (await CARDS[name](tf)).open(memoryLimit);
  const reasons: string[] = [];
  for (const card of name === 'auto' ? CARD_NAMES.filter((one) => one !== 'tfjs') : []) {
    try {
      const found = await CARDS[card]();
      if (found.software !== true) return await found.open(memoryLimit);
      reasons.push(`${card} has a software adapter alone, ${found.description}`);
    } catch (error) {
      if (!(error instanceof HmatrixError)) throw error;
      reasons.push(`${card} cannot be used: ${messageOf(error)}`);
    }
  }
  const { team } = await onTeam(control, 'openDevice');
  return new CpuDevice(team, memoryLimit ?? availableMemory(), reasons.length > 0 ? reasons.join('; ') : undefined);
}
