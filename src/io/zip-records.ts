/**
 * The records of zip archives: what each begins with, and its length without what varies.
 * Source: PKWARE, "APPNOTE.TXT – .ZIP File Format Specification" 6.3, §4.3.
 */

/** Before a member's bytes. */
export const LOCAL_SIGNATURE = 0x04034b50;
/** Bytes of it, without name and extra field. */
export const LOCAL_BYTES = 30;
/** What the directory says of a member. */
export const ENTRY_SIGNATURE = 0x02014b50;
/** Bytes of it, without name, extra field and comment. */
export const DIRECTORY_ENTRY_BYTES = 46;
/** Where the directory stands. */
export const END_SIGNATURE = 0x06054b50;
/** Bytes of it, without comment. */
export const END_BYTES = 22;
/** The same with 64 bits. */
export const END64_SIGNATURE = 0x06064b50;
/** Bytes of it, as it is written. */
export const END64_BYTES = 56;
/** Where the record with 64 bits stands. */
export const END64_LOCATOR_SIGNATURE = 0x07064b50;
/** Bytes of it. */
export const END64_LOCATOR_BYTES = 20;
