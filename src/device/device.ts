/**
 * The contract of devices: memory that stays on one, and what is computed there.
 *
 * A *launch* is work that a device is handed at once. Launches run in the order they are handed over, and each sees
 * what those before it wrote; `multiply` and `write` return before a device that works on its own is done, `read` and
 * `finish` wait for it. Vectors stand as rows: row r of `vectors` is the p numbers from r·p on, p the width that a
 * launch is told, so that what follows is products of small matrices with blocks of p columns.
 */
import type { FloatArray, Precision } from '../core/floats.js';
import type { Team } from '../parallel/team.js';
import type { BlockRows } from './block-rows.js';
import type { KernelArguments, PortableKernel, PreparedKernel } from './portable-kernel.js';
import type { Work, WorkKind, WorkOperands } from './work/work.js';

/** Numbers that lie on a device. */
export interface DeviceBuffer {
  readonly length: number;
  readonly precision: Precision;
  /** Bytes on the device. */
  readonly bytes: number;
  /** Frees it; a second time does nothing. Launches that were handed over before still see it. */
  destroy(): void;
}

/** What a launch with vectors of some width costs. */
export interface LaunchCost {
  /** What the device is handed: one for each shape of its tiles. */
  readonly launches: number;
  /** Flops asked for: 2·width for each entry of a block. */
  readonly flops: number;
  /** Flops done: those, and what tiles that are not full add. */
  readonly padded: number;
}

/** Block rows whose lists lie on a device. */
export interface PreparedRows {
  /** Bytes on the device. */
  readonly bytes: number;
  /** What a launch with vectors of that width costs. */
  cost(width: number): LaunchCost;
  /** Frees them; a second time does nothing. */
  destroy(): void;
}

/** Work (work/work.ts) whose lists lie on a device. */
export interface PreparedWork<K extends WorkKind = WorkKind> {
  readonly kind: K;
  /** Bytes on the device. */
  readonly bytes: number;
  /** What a launch with vectors of that width costs. */
  cost(width?: number): LaunchCost;
  /** Frees them; a second time does nothing. */
  destroy(): void;
}

/** What a device was handed since it was opened. */
export interface DeviceCounters {
  readonly launches: number;
  /** Bytes from this machine's memory to the device, and back. */
  readonly uploaded: number;
  readonly downloaded: number;
  readonly flops: number;
}

/** What lies on a device now. */
export interface DeviceMemory {
  /** Buffers, prepared block rows and planned work. */
  readonly buffers: number;
  readonly bytes: number;
  /** Most bytes that may lie there; Infinity where the device does not tell how much it has. */
  readonly limit: number;
  /** Most bytes of one buffer. */
  readonly bufferLimit: number;
}

/** Ways of multiplying float32 numbers faster: both factors are rounded, to 11 or to 8 bits; sums are float32. */
export const ARITHMETICS = ['tf32', 'bf16'] as const;
/** One of them. */
export type Arithmetic = (typeof ARITHMETICS)[number];

/** The operands of a launch: blocks and vectors of one precision. */
export interface LaunchOperands {
  readonly values: DeviceBuffer;
  /** Read and written, row by row. */
  readonly vectors: DeviceBuffer;
  /** How products in f32 with more than 16 vectors are formed, of `Device.arithmetics`. Default: in float32. */
  readonly arithmetic?: Arithmetic | undefined;
}

/** A device: the team of this machine, or a graphics card. `openDevice` opens one. */
export interface Device {
  readonly name: DeviceName;
  /** What it is, for people; where it stands for another one that was tried, why. */
  readonly description: string;
  /** What it computes in. */
  readonly precisions: readonly Precision[];
  /** How it can multiply besides. */
  readonly arithmetics: readonly Arithmetic[];
  readonly counters: DeviceCounters;
  readonly memory: DeviceMemory;
  /**
   * A buffer of zeros. Throws MemoryError, before anything is allocated where the limits tell, OptionError for another
   * precision, DeviceLostError.
   */
  allocate(length: number, precision: Precision): Promise<DeviceBuffer>;
  /** As `allocate`, with those numbers in it, in their precision. */
  upload(values: FloatArray): Promise<DeviceBuffer>;
  /** buffer[at …] ← values, which are of its precision. Throws ShapeError, DeviceError, DeviceLostError. */
  write(buffer: DeviceBuffer, values: FloatArray, at?: number): void;
  /** into ← buffer[at …], after what was handed over before. Throws ShapeError, DeviceError, DeviceLostError. */
  read(buffer: DeviceBuffer, into: FloatArray, at?: number): Promise<void>;
  /** Checks block rows (`checkBlockRows`) and puts their lists on the device. Throws ShapeError, MemoryError. */
  prepare(rows: BlockRows): Promise<PreparedRows>;
  /**
   * One launch: what block rows say of rows of `width` numbers. Throws ShapeError where they reach past an operand, or
   * the precisions differ, OptionError for an arithmetic that the device or the precision has not, DeviceError,
   * DeviceLostError.
   */
  multiply(rows: PreparedRows, operands: LaunchOperands, width: number): void;
  /**
   * Checks work of any kind (work/work.ts) and puts its lists on the device. Throws ShapeError where it contradicts
   * itself or writes twice to a place, MemoryError.
   */
  plan<W extends Work>(work: W): Promise<PreparedWork<W['kind']>>;
  /**
   * One launch of planned work; rows of vectors have `width` numbers, default 1. Operands may be one buffer where the
   * launch does not write what it reads there. Throws ShapeError where they are too short, of different precisions, or
   * meet, DeviceError, DeviceLostError.
   */
  launch<K extends WorkKind>(work: PreparedWork<K>, operands: WorkOperands<DeviceBuffer>[K], width?: number): void;
  /** The team whose device it is; null on cards. */
  readonly team: Team | null;
  /** Kernels of single numbers, on cards; null where a team is, which has its own. */
  readonly kernels: KernelDevice | null;
  /** Waits for all that was handed over. Throws DeviceError for what the device refused, DeviceLostError. */
  finish(): Promise<void>;
  /** Frees what lies there. The device cannot be used any more; a second time does nothing. */
  close(): Promise<void>;
}

/** What a card does with kernels (kernel.ts). */
export interface KernelDevice {
  /**
   * Compiles the kernel where it is new, and puts the launch's parameters on the device. Throws ShapeError,
   * MemoryError, DeviceError, DeviceLostError.
   */
  prepare(kernel: PortableKernel, args: KernelArguments<DeviceBuffer>): Promise<PreparedKernel>;
  /** One launch. What the kernel reads and writes must lie within its buffers. Throws DeviceError, DeviceLostError. */
  launch(prepared: PreparedKernel): void;
}

/** The devices there are code for; `cpu` is the team, and always there. */
export const DEVICE_NAMES = ['cpu', 'cuda', 'webgpu', 'tfjs'] as const;
/** The name of a device. */
export type DeviceName = (typeof DEVICE_NAMES)[number];
