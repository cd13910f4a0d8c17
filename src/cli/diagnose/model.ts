// A model file as it is named on the command line, and in package.json.

export interface Model {
  readonly path: string
  /** 64 hexadecimal digits, if it is to be compared. */
  readonly sha256: string | undefined
}

/** `path`, or `path:sha256`. */
export function modelIn(text: string): Model {
  const [, path, sha256] = /^(.+):([0-9a-fA-F]{64})$/.exec(text) ?? []
  return path === undefined ? { path: text, sha256: undefined } : { path, sha256: sha256!.toLowerCase() }
}
