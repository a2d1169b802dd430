/* bulk.c - see bulk.h. */
#include "core/mysql/bulk.h"

#include "core/mysql/wire.h"

bool
bulk_decode(struct span payload, uint32_t n_params, uint16_t *types, struct bulk *out)
{
    struct cursor c = cursor_of(payload);
    struct bulk   b = { 0 };
    struct span   bound = { 0 };

    wire_skip(&c, 1 + 4);
    b.flags = wire_u16(&c);
    if (b.flags & BULK_TYPES)
        bound = wire_bytes(&c, 2 * (size_t)n_params);
    b.rows = wire_rest(&c);
    if (c.bad || n_params == 0 || b.rows.len == 0)
        return false;
    for (uint32_t i = 0; i < n_params; i++)
        if (bound.len == 0 && types[i] == PARAM_UNBOUND)
            return false;
    for (uint32_t i = 0; bound.len != 0 && i < n_params; i++)
        types[i] = wire_load_u16(bound.ptr + 2 * (size_t)i);
    *out = b;
    return true;
}

bool
bulk_next(struct span *rows, uint32_t n_params, const uint16_t *types,
          enum bulk_indicator *indicators, struct param_value *params)
{
    struct cursor c = cursor_of(*rows);

    for (uint32_t i = 0; i < n_params && !c.bad; i++) {
        uint8_t indicator = wire_u8(&c);
        if (c.bad || indicator >= BULK_INDICATORS)
            return false;
        indicators[i]         = (enum bulk_indicator)indicator;
        params[i]             = (struct param_value){ .type        = (uint8_t)types[i],
                                                      .is_unsigned = types[i] & PARAM_UNSIGNED };
        params[i].is_null     = indicator != BULK_VALUE || params[i].type == MYSQL_TYPE_NULL;
        if (!params[i].is_null)
            params[i].bytes = param_value_read(&c, params[i].type);
    }
    if (c.bad)
        return false;
    *rows = wire_rest(&c);
    return true;
}
