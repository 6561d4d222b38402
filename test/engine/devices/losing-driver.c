/* A Vulkan driver that is SwiftShader until so many submissions (LOSE_AFTER) were made: then the device is lost. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef void (*Function)(void);
typedef Function (*Lookup)(void *, const char *);
typedef int (*Submit)(void *, unsigned, const void *, void *);

enum { DEVICE_LOST = -4 };

static void *driver;
static Lookup of_device;
static Submit really_submit;
static int left;

static void *symbol(const char *name) {
  if (!driver) {
    driver = dlopen(getenv("LOSING_DRIVER_OF"), RTLD_NOW | RTLD_LOCAL);
    left = atoi(getenv("LOSE_AFTER"));
  }
  return dlsym(driver, name);
}

static int submit(void *queue, unsigned count, const void *batches, void *fence) {
  if (left == 0) return DEVICE_LOST;
  left--;
  return really_submit(queue, count, batches, fence);
}

static Function watched(Function found, const char *name) {
  if (!found || strcmp(name, "vkQueueSubmit")) return found;
  really_submit = (Submit)found;
  return (Function)submit;
}

static Function lookup_of_device(void *device, const char *name) {
  return watched(of_device(device, name), name);
}

Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
  Function found = ((Lookup)symbol("vk_icdGetInstanceProcAddr"))(instance, name);
  if (!found || strcmp(name, "vkGetDeviceProcAddr")) return watched(found, name);
  of_device = (Lookup)found;
  return (Function)lookup_of_device;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) {
  int (*negotiate)(unsigned *) = (int (*)(unsigned *))symbol("vk_icdNegotiateLoaderICDInterfaceVersion");
  return negotiate ? negotiate(version) : 0;
}

Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
  Lookup lookup = (Lookup)symbol("vk_icdGetPhysicalDeviceProcAddr");
  return lookup ? lookup(instance, name) : 0;
}
