// A stand-in for NVML with two cards, told of in another order than that of their slots. On each, the process
// that asks holds 2 GiB, process 1 holds 1 GiB, and 1 GiB is held by nobody who is named.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long u64;
typedef size_t device;
typedef struct { char legacy[16]; unsigned domain, bus, slot, id, subsystem; char name[32]; } pci;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory;
typedef struct { unsigned pid; u64 used; unsigned gpu_instance, compute_instance; } process;
#define GIB ((u64)1 << 30)

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *found) { *found = index + 1; return 0; }
int nvmlDeviceGetPciInfo_v3(device of, pci *info) {
    memset(info, 0, sizeof *info);
    info->bus = of == 1 ? 9 : 1;
    return 0;
}
int nvmlDeviceGetUUID(device of, char *text, unsigned length) { snprintf(text, length, "GPU-%zu", of); return 0; }
int nvmlDeviceGetName(device of, char *text, unsigned length) {
    snprintf(text, length, "%s", of == 1 ? "Second card" : "First card");
    return 0;
}
int nvmlSystemGetDriverVersion(char *text, unsigned length) { snprintf(text, length, "580.65.06"); return 0; }
int nvmlDeviceGetCudaComputeCapability(device of, int *major, int *minor) { *major = 8; *minor = 9; return 0; }
int nvmlDeviceGetMemoryInfo_v2(device of, memory *info) {
    info->total = 12 * GIB;
    info->reserved = GIB / 2;
    info->used = 4 * GIB;
    info->free = info->total - info->reserved - info->used;
    return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(device of, unsigned *count, process *told) {
    if (*count < 2) { *count = 2; return 7; }
    *count = 2;
    told[0] = (process){ getpid(), 2 * GIB, -1, -1 };
    told[1] = (process){ 1, GIB, -1, -1 };
    return 0;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(device of, unsigned *count, process *told) { *count = 0; return 0; }
