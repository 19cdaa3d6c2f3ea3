/**
 * A card that a matrix is compressed on: a device, and the kernel source whose entries it evaluates.
 */
import { DeviceError, OptionError } from '../../../core/errors.js';
import type { Precision } from '../../../core/floats.js';
import { MOST_COLUMNS } from '../../../device/work/interpolations.js';
import type { Device, KernelDevice } from '../../../device/device.js';
import type { EntrySource } from '../../../source/entry-source.js';
import { KernelSource } from '../../../source/kernel-source.js';
import { kernelText, type KernelText } from '../../../source/kernels/kernel-text.js';
import type { PointNumbers } from '../../../device/sent-points.js';
import { numbersOf } from '../../device/entry-text.js';
import type { AskedOptions } from '../options.js';

/** Squares of entries, and of what a tolerance leaves of them, stay in float32's range from 1 over this up to it. */
const LARGEST_ENTRY = 2 ** 40;
/** The same of squares of distances, of which the nearest are far smaller than the farthest. */
const LARGEST_SQUARE = 2 ** 86;
/** Tolerances below drown in what float32 loses of entries and decompositions. */
const LEAST_TOLERANCE = 2 ** -17;
const OTHERWISE = 'Leave { device } out: the team compresses then.';

/** Where samples are evaluated and interpolated. */
export interface Card {
  readonly device: Device;
  readonly kernels: KernelDevice;
  /** float64 where the device has it. */
  readonly precision: Precision;
  readonly source: KernelSource;
  readonly text: KernelText;
}

/** A compression on a device. */
export interface CardRequest {
  readonly device: Device;
  readonly source: EntrySource;
  readonly options: AskedOptions;
  /** By how much the source's entries are multiplied, and how many ranks compress. */
  readonly factor: number;
  readonly ranks: number;
  /** The largest entry of its diagonal, times the factor. */
  readonly largest: number;
}

/**
 * The card of a device that is no team's. Throws DeviceError where it evaluates no kernels, OptionError for entries,
 * tolerances and options that it has not.
 */
export function cardOf({ device, source, options, factor, ranks, largest }: CardRequest): Card {
  const { kernels, name } = device;
  const refuse = (what: string, data: Readonly<Record<string, unknown>> = {}): never => {
    throw new OptionError(`${what} ${OTHERWISE}`, { option: 'device', device: name, ...data });
  };
  if (kernels === null)
    throw new DeviceError(`compress cannot use the device ${name}: it evaluates no entries. ${OTHERWISE}`, {
      device: name,
    });
  if (ranks > 1) refuse(`One process compresses on a device, not ${ranks} ranks.`, { ranks });
  if (!(source instanceof KernelSource))
    return refuse('The source of a compression on a device must be a kernelSource: cards evaluate kernels of points.');
  if (factor !== 1) refuse(`The entries are so large or small that they are scaled by ${factor}: scale the kernel.`);
  const precision = device.precisions.includes('f64') ? 'f64' : 'f32';
  const { tolerance, preserve, leafSize } = options;
  if (precision === 'f32' && tolerance < LEAST_TOLERANCE)
    refuse(
      `A tolerance of ${tolerance} needs float64, which the device ${name} has not: ask for at least ` +
        `${LEAST_TOLERANCE.toPrecision(1)} there.`,
      { tolerance },
    );
  const text = kernelText(source.kernel, OTHERWISE);
  if (precision === 'f32') {
    if (largest > 0 && !(largest <= LARGEST_ENTRY && largest >= 1 / LARGEST_ENTRY))
      refuse(
        `The largest diagonal entry is ${largest}, and the device ${name} has float32 alone, whose squares stay in ` +
          'range from 1e-12 to 1e12: scale the kernel.',
        { largest },
      );
    const bad = text.numbers.find((number) => !isInFloat32(number));
    if (bad !== undefined)
      refuse(`The kernel's number ${bad} is none of float32, which the device ${name} has alone: scale the points.`, {
        value: bad,
      });
    for (const input of source.inputs) {
      const square = squaredExtent(numbersOf(input));
      const middle = input.argument === 'squaredDistance' ? 'their mean' : 'the origin';
      if (square > 0 && !(square <= LARGEST_SQUARE && square >= 1 / LARGEST_SQUARE))
        refuse(
          `Points lie as far as ${Math.sqrt(square).toPrecision(3)} from ${middle}, and the device ${name} has ` +
            'float32 alone, which holds squares of distances from 1e-13 to 1e13: scale the points.',
          { extent: Math.sqrt(square) },
        );
    }
  }
  if (preserve) refuse("Interpolations that are { preserve: 'positive-definite' } are not found on devices.");
  if (leafSize !== undefined && leafSize > MOST_COLUMNS)
    refuse(`Leaves of ${leafSize} indices are more than the ${MOST_COLUMNS} columns that devices interpolate.`, {
      leafSize,
    });
  return { device, kernels, precision, source, text };
}

/** Whether it is zero, or of full precision in float32. */
const isInFloat32 = (number: number): boolean =>
  number === 0 || (Math.abs(number) >= 2 ** -126 && Number.isFinite(Math.fround(number)));

/** The largest square of a point's distance from the origin. */
function squaredExtent({ numbers, dimension: d, origin }: PointNumbers): number {
  let most = 0;
  for (let i = 0; i < numbers.length; i += d) {
    let square = 0;
    for (let k = 0; k < d; k++) square += (numbers[i + k] - (origin?.[k] ?? 0)) ** 2;
    most = Math.max(most, square);
  }
  return most;
}

/** Throws OptionError where node ν has more candidates than devices interpolate. */
export function requireColumns(ν: number, columns: number): void {
  if (columns <= MOST_COLUMNS) return;
  throw new OptionError(
    `Node ${ν} has ${columns} candidates, and devices interpolate ${MOST_COLUMNS}: ask for maxRank ` +
      `${MOST_COLUMNS / 2} at most, or a larger tolerance. ${OTHERWISE}`,
    { option: 'maxRank', node: ν, columns },
  );
}
