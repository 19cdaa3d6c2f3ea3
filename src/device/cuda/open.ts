/**
 * The card that CUDA finds here, and opening it.
 */
import { PLATFORM } from '../../core/environment.js';
import { DeviceError, LibraryError } from '../../core/errors.js';
import { arrayAddress } from '../../native/koffi.js';
import type { Device } from '../device.js';
import { chosenFolder, MAJORS, NONE } from './candidates.js';
import { openCompiler } from './compiler.js';
import { findCublas, type CublasSearch } from './cublas.js';
import { findCusolver, type CusolverSearch } from './cusolver.js';
import { CudaDevice, type CudaOptions, type FoundCard } from './device.js';
import { ATTRIBUTE, openDriver } from './driver.js';

export type { FoundCard };

/**
 * The first card of the driver's (CUDA_VISIBLE_DEVICES chooses), with a compiler for it. Nothing is opened. Throws
 * LibraryError: no driver, or no NVRTC that fits it and the card; DeviceError: no card.
 */
export function findCard(): FoundCard {
  if (chosenFolder() === NONE) throw new LibraryError(`HMATRIX_CUDA is "${NONE}": no card is looked for.`);
  if (PLATFORM === 'darwin') throw new LibraryError('There is no CUDA for macOS.');
  const driver = openDriver();
  const status = driver.status('cuInit', 0);
  if (status !== 0)
    throw new DeviceError(`CUDA finds no card that it can use: cuInit ends with ${driver.textOf(status)}.`, {
      device: 'cuda',
      status,
    });
  const version = driver.integer('cuDriverGetVersion');
  if (driver.integer('cuDeviceGetCount') === 0)
    throw new DeviceError('CUDA finds no card here (CUDA_VISIBLE_DEVICES may hide it).', { device: 'cuda' });
  const device = driver.integer('cuDeviceGet', 0);
  const text = new Uint8Array(256);
  driver.call('cuDeviceGetName', arrayAddress(text), text.length, device);
  const name = new TextDecoder().decode(text).replace(/\0[\s\S]*$/, '');
  const [major, minor, count] = [ATTRIBUTE.major, ATTRIBUTE.minor, ATTRIBUTE.multiprocessors].map((attribute) =>
    driver.integer('cuDeviceGetAttribute', attribute, device),
  );
  const bytes = driver.made('cuDeviceTotalMem_v2', device);
  const architecture = 10 * major + minor;
  const compiler = openCompiler(Math.floor(version / 1000), architecture);
  const versions =
    `${name} (compute capability ${major}.${minor}, ${count} multiprocessors, ${(bytes / 2 ** 30).toFixed(1)} GiB; ` +
    `driver of CUDA ${Math.floor(version / 1000)}.${(version % 1000) / 10}, NVRTC ${compiler.version}, `;
  // That of the compiler's version is made for the same cards.
  const others = MAJORS.filter((one) => one !== compiler.major && one <= Math.floor(version / 1000));
  const wanted = { majors: [compiler.major, ...others], architecture };
  const findProducts = (): CublasSearch => findCublas(wanted);
  const findFactors = (): CusolverSearch => findCusolver(wanted);
  const told = (title: string, found: CublasSearch | CusolverSearch): string =>
    'library' in found ? `${title} ${found.library.version}` : `no ${title}: ${found.reason}`;
  return {
    driver,
    compiler,
    device,
    architecture,
    findCublas: findProducts,
    findCusolver: findFactors,
    get description() {
      return `${versions}${told('cuBLAS', findProducts())}, ${told('cuSOLVER', findFactors())})`;
    },
  };
}

/** Opens the card. Throws DeviceError, MemoryError. */
export const openCuda = (found: FoundCard, options: CudaOptions): Device => new CudaDevice(found, options);
