// @types/dockerode describes the package as a whole only.
declare module "dockerode/lib/image.js" {
  import type Dockerode from "dockerode";
  const Image: typeof Dockerode.Image;
  export = Image;
}
