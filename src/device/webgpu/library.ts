/**
 * WebGPU where it is: a browser's own, else the package webgpu (Dawn), an optional peer that is loaded when a device is
 * asked for.
 */
import { PLATFORM } from '../../core/environment.js';
import { LibraryError } from '../../core/errors.js';
import { messageOf, nativeModuleFailure } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';
import type { Gpu, GpuAdapter } from './api.js';

/** Not written as a text within import(): bundlers would demand the package of those who have no such device. */
const PACKAGE = 'webgpu';

/** What is used of the package. */
interface WebgpuPackage {
  create(flags: readonly string[]): Gpu;
}

/** An adapter, and what it is. */
export interface FoundAdapter {
  readonly adapter: GpuAdapter;
  /** Its maker, name and driver, for people. */
  readonly description: string;
  /** Whether it is a program that this machine's processor runs. */
  readonly software: boolean;
}

const VULKAN = 'libvulkan.so.1';

/**
 * Every kernel writes what threads share before it reads it: Dawn need not fill it with zeros first. Software adapters
 * do so number by number, and take more than a second to compile a kernel that shares 12 kB, in place of 30 ms.
 */
const FLAGS = ['enable-dawn-features=disable_workgroup_init'];

/** Kept: what the package has made must not be collected while devices live. */
let opened: Gpu | undefined;

/**
 * Where adapters are asked for. Throws LibraryError: the package is missing, or what it needs of the system, or this
 * browser has no WebGPU.
 */
async function openGpu(): Promise<Gpu> {
  const own = (globalThis as { readonly navigator?: { readonly gpu?: Gpu | undefined } | undefined }).navigator?.gpu;
  if (own !== undefined) return own;
  if (PLATFORM === 'browser')
    throw new LibraryError('This browser has no WebGPU (navigator.gpu): take another, or a page with https.');
  if (opened !== undefined) return opened;
  const { create } = await load();
  // Dawn would complain to the terminal of a missing loader, and say no more than that there is no adapter.
  if (PLATFORM === 'linux' && nativeModuleFailure() === undefined)
    new NativeLibrary([VULKAN], {
      remedy: "Install the Vulkan loader and your card's driver: apt-get install libvulkan1.",
    });
  return (opened = create(FLAGS));
}

async function load(): Promise<WebgpuPackage> {
  try {
    return (await import(/* @vite-ignore */ PACKAGE)) as WebgpuPackage;
  } catch (error) {
    throw new LibraryError(
      `WebGPU takes the package webgpu, which cannot be loaded (${messageOf(error)}). Install it beside hmatrix: npm ` +
        'install webgpu.',
      { package: PACKAGE },
    );
  }
}

/** Software adapters by their names, where the adapter does not say itself that it is one. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** The adapter of this machine that computes fastest. Throws LibraryError where there is none, saying why. */
export async function findAdapter(): Promise<FoundAdapter> {
  const gpu = await openGpu();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null)
    throw new LibraryError('WebGPU finds no adapter here: no graphics card, or no driver for it.', {
      package: PACKAGE,
    });
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const names = [...new Set([vendor, device === '' ? architecture : device, description])];
  const text = names.filter((name) => name !== '').join(', ');
  return { adapter, description: text, software: isFallbackAdapter === true || SOFTWARE.test(text) };
}
