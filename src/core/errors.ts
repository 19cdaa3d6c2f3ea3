/**
 * Typed errors: every failure a caller may want to tell apart has its own class and carries its numbers.
 * A message names what was wrong and what to do about it.
 */

/** 'non-finite' → 'NonFiniteError'. From the code, because minifiers rename classes. */
const nameOf = (code: string): string =>
  `${code.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}Error`;

/** Base of every error this library throws; `code` is stable, `data` holds the numbers (structured-cloneable). */
export class HmatrixError extends Error {
  readonly code: string;
  readonly data: Readonly<Record<string, unknown>>;
  constructor(code: string, message: string, data: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = nameOf(code);
    this.code = code;
    this.data = data;
  }
}

/** Sizes that do not fit together, or a size out of range. */
export class ShapeError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('shape', message, data);
  }
}

/** An option outside its domain (negative tolerance, unknown format, …). */
export class OptionError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('option', message, data);
  }
}

/** A value that is NaN or infinite where a finite one is needed. */
export class NonFiniteError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('non-finite', message, data);
  }
}

/** A matrix that was promised symmetric and is not; `data` holds row, column and both entries. */
export class AsymmetryError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('asymmetric', message, data);
    this.name = 'AsymmetryError';
  }
}

/** A matrix that cannot be positive (semi-)definite; `data` holds where it shows. */
export class NotPositiveDefiniteError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('not-positive-definite', message, data);
  }
}

/** A LAPACK routine that did not succeed (info ≠ 0); `data` holds routine and info. */
export class FactorizationError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('factorization', message, data);
  }
}

/** More memory would be needed than there is; estimated before anything is allocated. */
export class MemoryError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('memory', message, data);
  }
}

/** A file that cannot be read as what it should be: truncated, foreign, damaged, of another version. */
export class FileFormatError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('file-format', message, data);
  }
}

/**
 * A file that cannot be opened, read, written or replaced; `data` holds path and the system's code (ENOENT, EACCES,
 * ENOSPC, …).
 */
export class FileAccessError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('file-access', message, data);
  }
}

/** A native library that is missing, lacks a symbol or is not what it claims to be. */
export class LibraryError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('library', message, data);
  }
}

/** A worker of the team threw, or died; `data` holds worker and, where known, the original error's code and message. */
export class WorkerError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}, code = 'worker') {
    super(code, message, data);
  }
}

/** The team was closed, before a phase or during it. */
export class ClosedError extends WorkerError {
  constructor(message = 'The team is closed: open another one.', data: Readonly<Record<string, unknown>> = {}) {
    super(message, data, 'closed');
  }
}

/**
 * Ranks that could not communicate: a failure that MPI reports, a message of another length, a rank that has ended;
 * `data` holds rank and size, and where known the function, MPI's error code and the other rank.
 */
export class CommunicationError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super('communication', message, data);
  }
}

/** A device that cannot be opened, or that refuses what it was handed; `data` holds its name. */
export class DeviceError extends HmatrixError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}, code = 'device') {
    super(code, message, data);
  }
}

/** A device that was there and is no more: what lay on it is gone, what this machine has is not. */
export class DeviceLostError extends DeviceError {
  constructor(message: string, data: Readonly<Record<string, unknown>> = {}) {
    super(message, data, 'device-lost');
  }
}

/** The caller's AbortSignal fired. */
export class AbortedError extends HmatrixError {
  constructor(message = 'The operation was aborted.', data: Readonly<Record<string, unknown>> = {}) {
    super('aborted', message, data);
  }
}
