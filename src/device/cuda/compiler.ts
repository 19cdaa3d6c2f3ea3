/**
 * NVRTC, which compiles kernels for the card that there is (libnvrtc, nvrtc.h).
 */
import { DeviceError, LibraryError } from '../../core/errors.js';
import { arrayAddress, type NativeFunction } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';
import { chosenFolder, MAJORS, toolkitCandidates } from './candidates.js';
import { bindAll, WITHOUT } from './driver.js';

/** Parameters by letter: i an int, p an address or a handle. */
const PARAMETERS = {
  nvrtcVersion: 'pp',
  nvrtcGetNumSupportedArchs: 'p',
  nvrtcGetSupportedArchs: 'p',
  nvrtcCreateProgram: 'pppipp',
  nvrtcDestroyProgram: 'p',
  nvrtcCompileProgram: 'pip',
  nvrtcGetProgramLogSize: 'pp',
  nvrtcGetProgramLog: 'pp',
  nvrtcGetCUBINSize: 'pp',
  nvrtcGetCUBIN: 'pp',
  nvrtcGetPTXSize: 'pp',
  nvrtcGetPTX: 'pp',
} as const;
type NvrtcFunction = keyof typeof PARAMETERS;

/** NVRTC_ERROR_COMPILATION. */
const COMPILATION = 6;

const REMEDY =
  'Install the compiler of kernels in a version that the driver runs (pip install nvidia-cuda-nvrtc-cu12, conda ' +
  'install cuda-nvrtc, Debian: apt-get install libnvrtc12 or the like), or name the folder that it lies in by ' +
  'HMATRIX_CUDA.';

/** A text with the zero that C ends it with. */
const inC = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

/** A card's architecture: 90 for compute capability 9.0. */
export type Architecture = number;

/** NVRTC of a version. */
export class Compiler {
  /** "13.0". */
  readonly version: string;
  readonly major: number;
  /** Architectures that it compiles for, ascending. */
  readonly architectures: readonly Architecture[];
  readonly #functions: Readonly<Record<NvrtcFunction, NativeFunction>>;
  readonly #nameOf: NativeFunction | undefined;
  readonly #images = new Map<string, Uint8Array>();

  /** Opens the library of that name or path. Throws LibraryError. */
  constructor(name: string) {
    const library = new NativeLibrary([name], { remedy: REMEDY, without: WITHOUT });
    this.#functions = bindAll(library, PARAMETERS, REMEDY);
    this.#nameOf = library.find('nvrtcGetErrorString', 'const char *', ['int']);
    const [major, minor, count] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
    this.#call('nvrtcVersion', arrayAddress(major), arrayAddress(minor));
    this.#call('nvrtcGetNumSupportedArchs', arrayAddress(count));
    const architectures = new Int32Array(count[0]);
    this.#call('nvrtcGetSupportedArchs', arrayAddress(architectures));
    this.version = `${major[0]}.${minor[0]}`;
    this.major = major[0];
    this.architectures = [...architectures].sort((a, b) => a - b);
  }

  /** Whether it compiles for such a card: for that one, or for one before it, whose code the driver translates. */
  canCompileFor = (architecture: Architecture): boolean => this.#targetOf(architecture) !== undefined;

  /**
   * The code of a program of that name, compiled once for that card: machine code where NVRTC knows it, else PTX.
   * Throws DeviceError with the compiler's log where it does not compile.
   */
  compile(source: () => string, name: string, architecture: Architecture): Uint8Array {
    const key = `${name} ${architecture}`;
    let image = this.#images.get(key);
    if (image === undefined) this.#images.set(key, (image = this.#compile(source(), name, architecture)));
    return image;
  }

  #compile(source: string, name: string, architecture: Architecture): Uint8Array {
    const [handle, text, title] = [new BigInt64Array(1), inC(source), inC(`${name}.cu`)];
    this.#call('nvrtcCreateProgram', arrayAddress(handle), arrayAddress(text), arrayAddress(title), 0, 0, 0);
    const program = Number(handle[0]);
    try {
      const target = this.#targetOf(architecture)!;
      const own = target === architecture;
      const options = [`--gpu-architecture=${own ? 'sm' : 'compute'}_${target}`, '--std=c++14'].map(inC);
      const addresses = BigInt64Array.from(options, (option) => BigInt(arrayAddress(option)));
      const status = this.#functions.nvrtcCompileProgram(program, options.length, arrayAddress(addresses));
      if (status === COMPILATION)
        throw new DeviceError(
          `The device cuda has a kernel, ${name}, that NVRTC ${this.version} does not compile for architecture ` +
            `${architecture}:\n${this.#bytes('nvrtcGetProgramLog', program).trim()}`,
          { device: 'cuda', kernel: name, architecture },
        );
      this.#check('nvrtcCompileProgram', status);
      return this.#read(own ? 'nvrtcGetCUBIN' : 'nvrtcGetPTX', program);
    } finally {
      this.#functions.nvrtcDestroyProgram(arrayAddress(handle));
    }
  }

  #targetOf(architecture: Architecture): Architecture | undefined {
    return this.architectures.findLast((one) => one <= architecture);
  }

  #bytes(name: 'nvrtcGetProgramLog', program: number): string {
    return new TextDecoder().decode(this.#read(name, program)).replace(/\0[\s\S]*$/, '');
  }

  #read(name: 'nvrtcGetProgramLog' | 'nvrtcGetCUBIN' | 'nvrtcGetPTX', program: number): Uint8Array {
    const size = new BigInt64Array(1);
    this.#call(`${name}Size`, program, arrayAddress(size));
    const bytes = new Uint8Array(Number(size[0]));
    this.#call(name, program, arrayAddress(bytes));
    return bytes;
  }

  #call(name: NvrtcFunction, ...values: number[]): void {
    this.#check(name, this.#functions[name](...values));
  }

  #check(name: NvrtcFunction, status: number): void {
    if (status === 0) return;
    const text = this.#nameOf?.(status) as unknown as string | undefined;
    throw new DeviceError(`NVRTC fails: ${name} ends with ${text ?? 'status'} (${status}).`, {
      device: 'cuda',
      call: name,
      status,
    });
  }
}

const opened = new Map<string, Compiler>();

/**
 * The newest NVRTC that a driver of that version of CUDA runs the code of, and that compiles for the card. Throws
 * LibraryError where there is none, with what was tried.
 */
export function openCompiler(driverMajor: number, architecture: Architecture): Compiler {
  const key = `${driverMajor} ${architecture} ${chosenFolder() ?? ''}`;
  const known = opened.get(key);
  if (known !== undefined) return known;
  const reasons: string[] = [];
  for (const major of MAJORS) {
    for (const name of toolkitCandidates('nvrtc', major)) {
      try {
        const compiler = new Compiler(name);
        if (compiler.major > driverMajor)
          reasons.push(
            `"${name}" is NVRTC ${compiler.version}, and the driver is too old for it (CUDA ${driverMajor})`,
          );
        else if (!compiler.canCompileFor(architecture))
          reasons.push(
            `"${name}" is NVRTC ${compiler.version}, which compiles for no architecture below ` +
              `${compiler.architectures[0]}, and the card's is ${architecture}`,
          );
        else {
          opened.set(key, compiler);
          return compiler;
        }
      } catch (error) {
        if (!(error instanceof LibraryError || error instanceof DeviceError)) throw error;
        reasons.push(error.message.replace(` ${REMEDY}`, ''));
      }
    }
  }
  throw new LibraryError(`The device cuda needs NVRTC, and there is none: ${reasons.join('; ')}. ${REMEDY}`, {
    reasons,
  });
}
