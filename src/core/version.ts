/**
 * The version of this library, from its package.json. Layer 0.
 */
import { createRequire } from 'node:module';

export const version: string = (createRequire(import.meta.url)('../../../package.json') as { readonly version: string }).version;
