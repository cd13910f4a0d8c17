export function entryPoints(): Map<string, string>
export function exportsOf(file: string): Map<string, string>
export function choiceOf(type: string, file: string): string
