/* list.h - doubly linked, intrusive, circular; the head is a node.
 *
 * An object embeds a `struct list` per list it can be on and is found again
 * with container_of(). A node that is on no list points to itself, so that
 * list_remove() may be called twice.
 */
#ifndef CORE_BASE_LIST_H
#define CORE_BASE_LIST_H

#include "core/base/base.h"

struct list {
    struct list *next, *prev;
};

#define LIST_EACH(at, head) \
    for (struct list *at = (head)->next; at != (head); at = at->next)

/* As LIST_EACH, and the body may remove `at`. */
#define LIST_EACH_SAFE(at, head)                                          \
    for (struct list *at = (head)->next, *at##_next = at->next; at != (head); \
         at = at##_next, at##_next = at->next)

static inline void
list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_insert_before(struct list *at, struct list *node)
{
    node->prev       = at->prev;
    node->next       = at;
    at->prev->next   = node;
    at->prev         = node;
}

static inline void
list_append(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void
list_prepend(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

static inline void
list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
