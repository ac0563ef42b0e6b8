#include "plants.h"

#include <string.h>

#include "world.h"

#define OFF(d)  (UINT64_C(1) << SIM_D_##d)
#define BLIND   (OFF(DEDUPE) | OFF(DEDUPE_SENT)) /* nothing is recognised as known */
#define CUTS    (SIM_FAULT_CUT | SIM_FAULT_LATE | SIM_FAULT_MEMBER | SIM_FAULT_ODD)
#define ALL     ((uint32_t)SIM_FAULT_ALL)
#define NO_BACK (ALL & ~(uint32_t)SIM_FAULT_BACK)
/* Nobody and nothing that dies changes rows: no epoch is raised by a person. */
#define ALIVE (NO_BACK & ~(uint32_t)(SIM_FAULT_PERSON | SIM_FAULT_ODD | SIM_FAULT_KILL))

const struct sim_plant sim_plants[] = {
    {"no-fence", 0, OFF(EPOCH) | OFF(OFFSET), ALL, "two-owners lane", false, 0},
    {"no-dedupe", 0, BLIND, ALL, "accepted-once events-once policy-once sent-once scheduled-once",
     false, 0},
    {"plain-settle", 1, OFF(ACQUIRE) | OFF(OFFSET) | OFF(DEDUPE), CUTS,
     "lane order events-once accepted-once", true, 0},
    {"acquire-alone", 1, OFF(OFFSET) | OFF(DEDUPE), CUTS, "", true, 0},
    {"no-reacquire", 2, OFF(REACQUIRE), ALL, "stuck", false, 0},
    {"no-confirm", 2, OFF(CONFIRM), ALL, "usurped", false, 0},
    {"fence-per-lane", 3, OFF(ONE_FENCE), ALIVE, "two-owners", false, 0},
    {"conflict-alone", 4, OFF(TAINT), ALL, "imaginary-state", false, 0},
    {"mark-passes", 4, OFF(MARK), ALL, "low-water accepted-once", false, 0},
    {"waiting-known", 5, OFF(WAITING_OPEN), ALL, "outcome events-once accepted-once", false, 0},
    {"row-stays", 5, OFF(WAIT_TAKEN) | OFF(DEDUPE), CUTS, "events-once accepted-once order", true,
     0},
    {"redrive-twice", 5, OFF(REDRIVE_ONCE) | OFF(DEDUPE), CUTS | SIM_FAULT_PERSON,
     "events-once accepted-once", true, 12},
    {"redrive-once", 5, OFF(DEDUPE), CUTS | SIM_FAULT_PERSON, "", true, 0},
    {"dedupe-wide", 6, OFF(DEDUPE_NARROW), ALL, "accepted-once events-once", false, 0},
    {"dedupe-short", 6, OFF(DEDUPE_LONG), ALL, "accepted-once events-once", false, 0},
    {"append-stale", 7, OFF(FRESH_APPEND), NO_BACK,
     "imaginary-state accepted-once events-once scheduled-once", false, 0},
    {"claim-stale", 7, OFF(FRESH_CLAIM) | OFF(OFFSET) | BLIND, NO_BACK,
     "lane order events-once accepted-once policy-once scheduled-once", false, 0},
    {"store-back", 8, OFF(STORE_ID), ALL, "model topic reader published low-water", false, 4},
    {"adopt-keeps", 8, OFF(FORK_ALWAYS), ALL, "model topic reader", false, 4},
    {"fork-epochs", 8, OFF(FORK_EPOCHS), ALL, "two-owners published sent-once", false, 4},
    {"no-idle-look", 8, OFF(IDLE_LOOK), SIM_FAULT_BACK, "stuck", false, 114},
    {"random-ids", 9, OFF(STABLE_IDS), ALL, "sent-once", false, 4},
    {"by-time", 10, OFF(TICKETS), NO_BACK, "order", false, 0},
    {"parked-unread", 10, OFF(PARKED_KNOWN), ALL, "order stuck ticket", false, 0},
    {"change-unfenced", 10, OFF(CHANGE_FENCED), ALL, "stuck order ticket", false, 0},
    {"no-fingerprint", 11, OFF(FINGERPRINT), SIM_FAULT_RECREATE, "recreated", false, 0},
    {"no-tail", 12, OFF(TAIL), ALL, "stuck", false, 0},
    {"position-lost", 12, OFF(POSITION) | OFF(TAIL), ALL, "stuck topic", false, 0},
    {"no-repair", 12, OFF(REPAIR), ALL, "model", false, 0},
    {"no-drop", 13, OFF(DROP), ALL, "model", false, 0},
    {"effect-key", 14, OFF(EFFECT_KEY), ALL, "effect-once", false, 0},
    {"stray-handled", 15, OFF(FORWARD), ALL, "imaginary-state events-once accepted-once", false, 0},
    {"no-idle-limit", 16, OFF(IDLE_LIMIT), ALL, "stuck", false, 9},
    {"relay-epoch", 17, OFF(RELAY_EPOCH), ALL, "published", false, 0},
    {"relay-gaps", 17, OFF(CONTIGUOUS) | OFF(START_OVER), ALL, "stuck sent-once topic", false, 66},
    {"relay-refused", 17, OFF(REFUSED), ALL, "stuck flood", false, 0},
    {"no-checkpoint", 18, OFF(CHECKPOINT), ALL, "model", false, 0},
    {"redis-zero", 19, OFF(REDIS_MISSING), ALL, "model", false, 0},
    {"redis-older", 19, OFF(REDIS_OLDER), ALL, "model", false, 0},
    {"rows-last", 20, OFF(COMMUTE), ALL, "shared-rows", false, 7},
    {"kill-blames", 21, OFF(EVIDENCE), ALL, "outcome", false, 9},
    {"tries-lost", 21, OFF(TRIES_KEPT), ALL, "stuck", false, 0},
    {"policy-offset", 22, OFF(SEQ_LANE) | OFF(DEDUPE_SENT), ALL, "policy-once stuck sent-once",
     false, 0},
    {"no-versions", 0, OFF(VERSIONS), ALL, "imaginary-state", false, 0},
    {"snapshot-alone", 0, OFF(SNAPSHOT), ALL, "snapshot", false, 0},
    {"no-ageing", 0, OFF(AGEING), 0, "ageing", false, 39},
};
const size_t sim_plant_count = sizeof sim_plants / sizeof sim_plants[0];

const struct sim_plant *sim_plant_find(const char *name)
{
    for (size_t i = 0; i < sim_plant_count; i++) {
        if (strcmp(sim_plants[i].name, name) == 0)
            return &sim_plants[i];
    }
    return NULL;
}

bool sim_plant_holds(const struct sim_plant *p)
{
    return p->finders[0] == '\0';
}

bool sim_plant_found_by(const struct sim_plant *p, const char *invariant)
{
    size_t n = strlen(invariant);
    for (const char *at = p->finders; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == n && strncmp(at, invariant, n) == 0)
            return true;
        at += word;
    }
    return false;
}
