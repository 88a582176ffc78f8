/** A YAML file as its text: the bundler and the test runner make a module of it. */
declare module "*.yaml" {
  const text: string;
  export = text;
}

declare module "*.bash" {
  const text: string;
  export = text;
}

declare module "*.zsh" {
  const text: string;
  export = text;
}

declare module "*.fish" {
  const text: string;
  export = text;
}
