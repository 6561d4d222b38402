// The first process of the emulated machine: runs /run of its file system, says how it ended, and turns the machine off.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("proc", "/proc", "proc", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  mount("tmpfs", "/tmp", "tmpfs", 0, "");
  int serial = open("/dev/ttyS0", O_RDWR), status = 0;
  for (int i = 0; i < 3; i++) dup2(serial, i);
  if (fork() == 0) {
    execl("/run", "run", (char *)0);
    _exit(127);
  }
  wait(&status);
  dprintf(1, "exit code %d\n", WEXITSTATUS(status));
  sync();
  sleep(1);
  reboot(RB_POWER_OFF);
}
