/* replay_main.c - runs a fuzz target over files and folders of inputs, without libFuzzer.
 * Usage: fuzz_<name>_replay <file or folder>... ; a crash or a sanitizer report is the failure. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return -1;
    }
    struct stat st;
    int rc = fstat(fileno(f), &st);
    size_t size = rc == 0 ? (size_t)st.st_size : 0;
    /* Exactly as long as the input, so that a read past its end is a read past the allocation. */
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    if (rc != 0 || bytes == NULL || fread(bytes, 1, size, f) != size) {
        perror(path);
        rc = -1;
    } else {
        (void)LLVMFuzzerTestOneInput(bytes, size);
    }
    free(bytes);
    (void)fclose(f);
    return rc;
}

static int replay_dir(const char *path, size_t *ret_files)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        perror(path);
        return -1;
    }
    int rc = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        rc |= replay_file(name);
        *ret_files += 1;
    }
    (void)closedir(dir);
    return rc;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    int rc = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            rc |= replay_dir(argv[i], &files);
        } else {
            rc |= replay_file(argv[i]);
            files++;
        }
    }
    printf("replayed %zu inputs\n", files);
    return rc == 0 ? 0 : 1;
}
