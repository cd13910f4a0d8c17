// Texts that came from outside (file names, codes in pictures, what users typed), before they reach a terminal, a log or a manager.

/** Control characters and those that turn the direction of writing, written out: a QR code must not drive a terminal. */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  )
